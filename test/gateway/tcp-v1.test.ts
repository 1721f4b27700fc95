import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { encodeMessage } from '../../src/tcp-protocol/encode.ts';
import { WINDOW_BYTES } from '../../src/tcp-protocol/types.ts';
import { metric } from '../support/census.ts';
import { eventually } from '../support/patience.ts';
import type { RawClient } from '../support/tcp-v1.ts';
import { countingBytes } from '../support/tcp-v1-returner.ts';
import { echo, mute, type Service, tcpScene } from '../support/tcp-v1-scene.ts';

/** sallyport.tcp.v1 through a whole gateway, with services on real sockets. */

/** Answers with all that has come, sorted, once its client has finished. */
function sort(socket: Socket): void {
  let all = '';
  socket.on('data', (chunk) => {
    all += chunk;
  });
  socket.on('end', () => socket.end(`${all.trim().split('\n').sort().join('\n')}\n`));
}

test('it is chosen before all others, and OPENED says what there is to know', async () => {
  const { open, gateway } = await tcpScene(echo);
  const client = await open({ protocols: ['binary'] });
  expect(client.socket.protocol).toBe('sallyport.tcp.v1');
  const opened = await client.the('OPENED');
  const { id } = await gateway.logged(({ msg }) => msg === 'session opened');
  expect({ ...opened, resumeId: Buffer.from(opened.resumeId).toString('hex') }).toEqual({
    type: 'OPENED',
    resumeId: '0'.repeat(32),
    resumeMs: 0,
    expiresAt: 0,
    session: id,
    peer: '',
  });
});

test('where the route says off it is not spoken', async () => {
  const { open } = await tcpScene(echo, { upstream: ', tcpProtocol: off' });
  const client = await open({ protocols: ['binary'] });
  expect(client.socket.protocol).toBe('binary');
});

test('bytes go both ways, and are what is counted', async () => {
  const { open, gateway, target } = await tcpScene(echo);
  const client = await open();
  client.data('one ', 'two ', 'three');
  expect(await client.textOf(13)).toBe('one two three');
  client.socket.close(1000, 'done');
  expect(await client.end()).toEqual({ code: 1000, reason: 'done' });
  const line = await gateway.logged(({ msg }) => msg === 'session ended');
  expect(line).toMatchObject({
    close: 1000,
    by: 'client',
    clean: true,
    target,
    protocol: 'sallyport.tcp.v1',
  });
  expect(line.up).toEqual({ messages: 3, bytes: 13 });
  expect(line.down).toMatchObject({ bytes: 13 });
});

test('a service that answers only once its client has finished answers whole', async () => {
  const { open, gateway } = await tcpScene(sort);
  const client = await open();
  client.data('b\n', 'a\n');
  client.send({ type: 'FIN' });
  await client.the('FIN');
  expect(client.text).toBe('a\nb\n');
  expect(await client.end()).toEqual({ code: 1000, reason: 'The upstream closed the connection.' });
  const line = await gateway.logged(({ msg }) => msg === 'session ended');
  expect(line).toMatchObject({ close: 1000, by: 'upstream', clean: true });
});

test('a service that has finished still takes what its client sends', async () => {
  let heard = '';
  const { open } = await tcpScene((socket) => {
    socket.end('bye');
    socket.on('data', (chunk) => {
      heard += chunk;
    });
  });
  const client = await open();
  await client.the('FIN');
  expect(client.text).toBe('bye');
  client.data('still here');
  await eventually(() => heard === 'still here');
  client.send({ type: 'FIN' });
  expect((await client.end()).code).toBe(1000);
});

test('a service that resets is told as RESET, and 1014', async () => {
  const { open, gateway } = await tcpScene((socket) => {
    socket.on('error', () => {}).once('data', () => socket.resetAndDestroy());
  });
  const client = await open();
  client.data('x');
  const text = 'The upstream ended the connection unexpectedly.';
  expect(await client.the('RESET')).toEqual({
    type: 'RESET',
    code: 1014,
    error: 'connection_terminated',
    text,
  });
  expect(await client.end()).toEqual({ code: 1014, reason: text });
  const line = await gateway.logged(({ msg }) => msg === 'session ended');
  expect(line).toMatchObject({ close: 1014, by: 'upstream', error: 'UPSTREAM_LOST' });
});

test.each([
  ['RESET', (client: RawClient) => client.send({ type: 'RESET', code: 1000, error: '', text: 'no more' })],
  ['the loss of the WebSocket', (client: RawClient) => client.socket.terminate()],
  ['a Close with a code of its own', (client: RawClient) => client.socket.close(4000)],
])('%s of the client is a reset to the service', async (_name, leave) => {
  const ends: string[] = [];
  const { open } = await tcpScene((socket) => {
    socket.on('error', ({ code }: NodeJS.ErrnoException) => ends.push(String(code)));
    socket.on('end', () => ends.push('FIN')).on('data', () => ends.push('data'));
  });
  const client = await open();
  client.data('x');
  await eventually(() => ends.includes('data'));
  leave(client);
  await eventually(() => ends.length > 1);
  expect(ends).toEqual(['data', 'ECONNRESET']);
  // Nobody is told their own fault.
  expect(client.has('RESET')).toBe(false);
});

test.each([1000, 1001, undefined])('a Close with %s is a FIN behind what was sent', async (code) => {
  const ends: string[] = [];
  const { open } = await tcpScene((socket) => {
    socket.on('error', ({ code }: NodeJS.ErrnoException) => ends.push(String(code)));
    socket.on('end', () => {
      ends.push('FIN');
      socket.end();
    });
    socket.on('data', (chunk) => ends.push(chunk.toString()));
  });
  const client = await open();
  client.data('all');
  // ws itself would refuse to send 1001.
  if (code === undefined) client.socket.close();
  else
    (client.socket as unknown as { _sender: { close(...args: unknown[]): void } })._sender.close(
      code,
      '',
      true,
    );
  await eventually(() => ends.includes('FIN'));
  expect(ends).toEqual(['all', 'FIN']);
});

test('who does not read is sent no more than the credit given; what is given is sent', async () => {
  const MiB = 2 ** 20;
  const { open } = await tcpScene((socket) => {
    socket.on('error', () => {});
    socket.write(Buffer.alloc(4 * MiB));
  });
  const client = await open();
  await client.textOf(WINDOW_BYTES);
  client.send({ type: 'WINDOW', credit: 1000 });
  await client.textOf(WINDOW_BYTES + 1000);
  client.send({ type: 'WINDOW', credit: 2 * MiB });
  await client.textOf(WINDOW_BYTES + 1000 + 2 * MiB);
  expect(client.received).toBe(WINDOW_BYTES + 1000 + 2 * MiB);
});

test('credit is given as the service takes bytes, and RESET 1008 is for who spends more', async () => {
  const sockets: Socket[] = [];
  const { open, gateway } = await tcpScene((socket) => {
    sockets.push(socket.on('error', () => {}).pause());
  });
  const client = await open();
  const piece = Buffer.alloc(64 * 1024);
  let credit = WINDOW_BYTES;
  client.onMessage = (message) => {
    if (message.type === 'WINDOW') credit += message.credit;
  };
  await client.the('OPENED');
  // The systems in between take some; then nothing more is granted.
  let sent = 0;
  for (let idle = 0; idle < 5; idle++) {
    for (; credit - sent >= piece.length; sent += piece.length) {
      client.data(piece);
      idle = 0;
    }
    await client.roundTrip();
  }
  expect(client.closed).toBeUndefined();
  expect(credit - sent).toBeLessThan(piece.length);
  sockets[0]?.resume();
  const before = credit;
  await eventually(() => credit > before);
  expect(credit - sent).toBeGreaterThanOrEqual(WINDOW_BYTES / 2);
  sockets[0]?.pause();
  for (let spent = sent; spent <= credit + 2 ** 24; spent += piece.length) client.data(piece);
  expect(await client.the('RESET')).toMatchObject({ code: 1008, error: 'http_protocol_error' });
  expect(await client.end()).toMatchObject({ code: 1008 });
  sockets[0]?.resume();
  expect(await gateway.logged(({ msg }) => msg === 'session ended')).toMatchObject({
    error: 'CREDIT_EXCEEDED',
  });
});

test('an echo of more than both windows does not stand still, though nobody reads before it has written', async () => {
  const total = 4 * 2 ** 20;
  const { open } = await tcpScene((socket) => {
    const write = () => {
      const chunk: Buffer | null = socket.read();
      if (chunk !== null && !socket.write(chunk)) socket.once('drain', write);
      else if (chunk !== null) setImmediate(write);
    };
    socket.on('readable', write).on('end', () => socket.end());
  });
  const client = await open();
  let [sent, credit] = [0, WINDOW_BYTES];
  const piece = Buffer.alloc(32 * 1024, 1);
  const pump = () => {
    for (; sent < total && credit >= piece.length; credit -= piece.length, sent += piece.length)
      client.data(piece);
    if (sent === total) client.send({ type: 'FIN' });
  };
  client.onMessage = (message) => {
    if (message.type === 'WINDOW') {
      credit += message.credit;
      if (sent < total) pump();
    }
    if (message.type === 'DATA') client.send({ type: 'WINDOW', credit: 32 * 1024 });
  };
  pump();
  await client.the('FIN', 10_000);
  expect(client.received).toBe(total);
});

const WRONG: readonly (readonly [string, (client: RawClient) => void])[] = [
  ['an empty message', ({ socket }) => socket.send(Buffer.alloc(0))],
  ['an unknown type', ({ socket }) => socket.send(Buffer.of(11))],
  ['a text', ({ socket }) => socket.send('text')],
  ['DATA of no bytes', ({ socket }) => socket.send(Buffer.of(0))],
  ['a WINDOW that is too long', ({ socket }) => socket.send(Buffer.alloc(6, 3))],
  ['OPENED of a client', (client) => client.socket.send(encodeMessage({ type: 'AUTH_OK', expiresAt: 0 }))],
  [
    'RESUME when it is open',
    (client) => client.send({ type: 'RESUME', resumeId: new Uint8Array(16), offset: 0, credit: 0 }),
  ],
  ['a credit that nobody may give', (client) => client.send({ type: 'WINDOW', credit: 2 ** 24 })],
  ['an ACK of what was not sent', (client) => client.send({ type: 'ACK', offset: 1 })],
  [
    'DATA after FIN',
    (client) => {
      client.send({ type: 'FIN' });
      client.data('x');
    },
  ],
];

test.each(WRONG)('%s is RESET with 1002', async (_name, act) => {
  const { open } = await tcpScene(mute);
  const client = await open();
  await client.the('OPENED');
  act(client);
  const { code, error, text } = await client.the('RESET');
  expect([code, error]).toEqual([1002, 'http_protocol_error']);
  expect(text).toMatch(/^The peer broke sallyport.tcp.v1: /);
  expect((await client.end()).code).toBe(1002);
});

test('half-closed connections stay under idle, and the end is told as RESET', async () => {
  const { open } = await tcpScene(mute, {
    route: 'timeouts: { idle: 100ms },',
  });
  const client = await open();
  client.send({ type: 'FIN' });
  expect(await client.the('RESET')).toMatchObject({
    code: 1001,
    text: 'The connection was idle for too long.',
  });
  expect((await client.end()).code).toBe(1001);
});

test('a drain is told as RESET with 1001', async () => {
  const { open, gateway } = await tcpScene(mute);
  const client = await open();
  await client.the('OPENED');
  void gateway.close();
  expect(await client.the('RESET')).toMatchObject({ code: 1001, error: 'proxy_internal_response' });
  expect((await client.end()).code).toBe(1001);
});

test('what a slow service takes late is what was sent', async () => {
  const sent: Buffer[] = [];
  const got: Buffer[] = [];
  const sockets: Socket[] = [];
  const { open } = await tcpScene((socket) => {
    sockets.push(socket.on('error', () => {}));
    socket.on('data', (chunk) => got.push(chunk));
  });
  const client = await open();
  let credit = WINDOW_BYTES;
  client.onMessage = (message) => {
    if (message.type === 'WINDOW') credit += message.credit;
  };
  await client.the('OPENED');
  const lengthOf = (all: readonly Buffer[]) => all.reduce((sum, { length }) => sum + length, 0);
  // The systems in between are filled first, and what comes then waits in the gateway: each time in other pieces.
  for (const size of [60_000, 20_000, 48_000]) {
    sockets[0]?.pause();
    for (let idle = 0; idle < 20; idle++) {
      for (; credit >= size; credit -= size) {
        const bytes = countingBytes(size, lengthOf(sent));
        client.data(bytes);
        sent.push(bytes);
        idle = 0;
      }
      await client.roundTrip();
    }
    sockets[0]?.resume();
    await eventually(() => lengthOf(got) === lengthOf(sent), 'all bytes', 10_000);
  }
  expect(Buffer.concat(got).equals(Buffer.concat(sent))).toBe(true);
});

test('a Close is a FIN behind all that waits for a slow service', async () => {
  let got = 0;
  const ends: string[] = [];
  const sockets: Socket[] = [];
  const { open } = await tcpScene((socket) => {
    sockets.push(socket.on('error', ({ message }) => ends.push(message)).pause());
    socket.on('data', ({ length }) => {
      got += length;
    });
    socket.on('end', () => ends.push('FIN')).on('end', () => socket.end());
  });
  const client = await open();
  let [sent, credit] = [0, WINDOW_BYTES];
  client.onMessage = (message) => {
    if (message.type === 'WINDOW') credit += message.credit;
  };
  await client.the('OPENED');
  sockets[0]?.pause();
  const piece = Buffer.alloc(20_000);
  for (let idle = 0; idle < 20; idle++) {
    for (; credit >= piece.length; credit -= piece.length, sent += piece.length, idle = 0) client.data(piece);
    await client.roundTrip();
  }
  client.socket.close(1000);
  await client.end();
  sockets[0]?.resume();
  await eventually(() => ends.length > 0);
  expect([got, ...ends]).toEqual([sent, 'FIN']);
});

describe('limits.messages', () => {
  const route = 'limits: { messages: { rate: 1/h, per: connection, burst: 10, over: close } },';
  const source: Service = (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(Buffer.alloc(8 * 2 ** 20)));
  };

  test('does not count what answers DATA', async () => {
    const { open } = await tcpScene(source, { route });
    const client = await open();
    client.onData = ({ length }) =>
      client.send({ type: 'WINDOW', credit: length }, { type: 'ACK', offset: client.received });
    client.data('go');
    await client.the('FIN', 10_000);
    expect(client.received).toBe(8 * 2 ** 20);
  });

  test('counts all else, so that nobody floods the gateway with it', async () => {
    const { open, gateway } = await tcpScene(mute, { route });
    const client = await open();
    for (let count = 0; count < 20; count++) client.send({ type: 'WINDOW', credit: 1 });
    expect(await client.the('RESET')).toMatchObject({ code: 1008 });
    const line = await gateway.logged(({ msg }) => msg === 'session ended');
    expect(line).toMatchObject({ error: 'RATE_LIMITED' });
  });
});

test('limits.messageSize is that of a message', async () => {
  const { open } = await tcpScene(mute, { route: 'limits: { messageSize: 1KiB },' });
  const client = await open();
  client.data(Buffer.alloc(1024));
  expect(await client.the('RESET')).toMatchObject({ code: 1009, error: 'http_protocol_error' });
});

test('a client that closes while its credit is spent is not waited for', async () => {
  const { open, gateway } = await tcpScene(
    (socket) => {
      socket.on('error', () => {}).write(Buffer.alloc(4 * 2 ** 20));
      socket.resume().on('end', () => socket.destroy());
    },
    { route: 'timeouts: { close: 30s },' },
  );
  const client = await open();
  await client.textOf(WINDOW_BYTES);
  client.socket.close(1000);
  const line = await gateway.logged(({ msg }) => msg === 'session ended');
  expect(line).toMatchObject({ close: 1000, by: 'client' });
});

test('its place at the upstream is given back when it is over', async () => {
  const { open, gateway } = await tcpScene(echo);
  const places = async () => metric(await gateway.metrics(), 'sallyport_upstream_sessions');
  const client = await open();
  await client.the('OPENED');
  expect(await places()).toBe(1);
  client.socket.close(1000);
  await gateway.logged(({ msg }) => msg === 'session ended');
  await eventually(async () => (await places()) === 0);
});
