import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { metric } from '../support/census.ts';
import { type Asking, CapsulePeer, capsule } from '../support/connect-tcp.ts';
import { freshToken } from '../support/fresh.ts';
import { eventually } from '../support/patience.ts';
import { echo, mute, type Scene, type Service, tcpScene } from '../support/tcp-v1-scene.ts';

/** connect-tcp through a whole gateway, with services on real sockets. */

async function scene(service: Service, { upstream = '', ...changes }: Scene = {}) {
  const found = await tcpScene(service, { ...changes, upstream: `, connectTcp: true${upstream}` });
  const { port } = found.gateway;
  const ended = () => found.gateway.logged(({ msg }) => msg === 'session ended');
  return { ...found, ended, open: (asking?: Asking) => CapsulePeer.open(port, asking), port };
}

/** Answers with all that has come, in capitals, once its client has finished. */
function shout(socket: Socket): void {
  let all = '';
  socket
    .on('error', () => {})
    .on('data', (chunk) => {
      all += chunk;
    });
  socket.on('end', () => socket.end(all.toUpperCase()));
}

/** What becomes of the service's side of a connection: the bytes, then `fin` or the error. */
function witness(): { service: Service; story: () => string } {
  let story = '';
  return {
    story: () => story,
    service(socket) {
      socket.on('data', (chunk) => {
        story += chunk;
      });
      socket.on('end', () => {
        story += ' fin';
      });
      socket.on('error', ({ code }: NodeJS.ErrnoException) => {
        story += ` ${code}`;
      });
    },
  };
}

test('the protocol is switched once the service is there', async () => {
  const { open, gateway } = await scene(echo);
  const { status, headers } = await open();
  expect(status).toBe(101);
  expect(headers).toEqual({
    upgrade: 'connect-tcp-12',
    connection: 'Upgrade',
    'capsule-protocol': '?1',
    'proxy-status': 'sallyport',
  });
  const line = await gateway.logged(({ msg }) => msg === 'session opened');
  expect(line).toMatchObject({ bridge: 'tcp', protocol: 'connect-tcp-12', path: '/tcp' });
});

test.each([
  ['Connect-TCP-12', 0x2028d7f2],
  ['connect-tcp-08', 0x2028d7f0],
  ['connect-tcp-07', 0x2028d7f0],
])('%s is spoken', async (token, data) => {
  const { open } = await scene(echo);
  const client = await open({ headers: { Upgrade: token }, data });
  expect(client.headers.upgrade).toBe(token.toLowerCase());
  client.send('hello');
  await client.until(() => client.text === 'hello', 'an echo');
});

test('bytes go both ways, are what is counted, and what is no data is passed over', async () => {
  const { open, ended, target } = await scene(echo);
  const client = await open();
  client.send('one ', 'two ');
  client.socket.write(capsule(0x17, 'nothing'));
  client.send('three');
  await client.until(() => client.text === 'one two three', 'an echo');
  client.final();
  await client.until(() => client.isFinal, 'FINAL_DATA');
  expect(await client.ended()).toBe('fin');
  client.socket.end();
  const line = await ended();
  expect(line).toMatchObject({ close: 1000, by: 'client', clean: true, target, protocol: 'connect-tcp-12' });
  expect(line.up).toEqual({ messages: 5, bytes: 13 });
  expect(line.down).toMatchObject({ bytes: 13 });
});

describe('half-close', () => {
  test('a service that answers only once its client has finished answers whole', async () => {
    const { open, ended } = await scene(shout);
    const client = await open();
    client.send('quite ');
    client.final('loud');
    await client.until(() => client.isFinal, 'FINAL_DATA');
    expect(client.text).toBe('QUITE LOUD');
    expect(await client.ended()).toBe('fin');
    client.socket.end();
    expect(await ended()).toMatchObject({ close: 1000, by: 'client', clean: true });
  });

  test('a client may end its side of the connection with its last byte', async () => {
    const { open } = await scene(shout);
    const client = await open();
    client.final('quiet');
    client.socket.end();
    expect(await client.ended()).toBe('fin');
    expect([client.text, client.isFinal]).toEqual(['QUIET', true]);
  });

  test('a service that has finished still takes what its client sends', async () => {
    const { service, story } = witness();
    const { open, ended } = await scene((socket) => {
      service(socket);
      socket.end('bye');
    });
    const client = await open();
    await client.until(() => client.isFinal, 'FINAL_DATA');
    client.send('still here');
    await eventually(() => story() === 'still here');
    expect(client.end).toBe(undefined);
    client.final();
    expect(await client.ended()).toBe('fin');
    client.socket.end();
    expect(story()).toBe('still here fin');
    expect(await ended()).toMatchObject({ close: 1000, by: 'upstream', clean: true });
  });

  test('a client that closes when it has all does not take back what it has sent', async () => {
    const bytes = 4 * 2 ** 20;
    let heard = 0;
    let end = '';
    let read = () => {};
    const { open, ended } = await scene((socket) => {
      socket.end('bye');
      read = () => void socket.resume();
      socket.on('data', (chunk) => {
        heard += chunk.length;
      });
      socket.pause();
      socket.on('end', () => {
        end = 'fin';
      });
      socket.on('error', ({ code }: NodeJS.ErrnoException) => {
        end = String(code);
      });
    });
    const client = await open();
    await client.until(() => client.isFinal, 'FINAL_DATA');
    client.send(Buffer.alloc(bytes));
    client.final();
    client.socket.end();
    read();
    expect(await ended()).toMatchObject({ close: 1000, clean: true });
    await eventually(() => end !== '');
    expect([heard, end]).toEqual([bytes, 'fin']);
  });
});

describe('abrupt ends', () => {
  test('a service that resets is told as a reset, behind what it said', async () => {
    const { open, ended } = await scene((socket) => {
      socket.on('error', () => {}).once('data', () => socket.write('half', () => socket.resetAndDestroy()));
    });
    const client = await open();
    client.send('x');
    expect(await client.ended()).toBe('reset');
    expect([client.text, client.isFinal]).toEqual(['half', false]);
    expect(await ended()).toMatchObject({
      close: 1014,
      by: 'upstream',
      clean: false,
      error: 'UPSTREAM_LOST',
    });
  });

  test('so is one that resets when its client has finished', async () => {
    const { open } = await scene((socket) => {
      socket.on('error', () => {}).resume();
      socket.on('end', () => socket.resetAndDestroy());
    });
    const client = await open();
    client.final('x');
    expect(await client.ended()).toBe('reset');
    expect(client.isFinal).toBe(false);
  });

  test.each<[string, (client: CapsulePeer) => unknown]>([
    ['a reset of the client', ({ socket }) => socket.resetAndDestroy()],
    ['its end without FINAL_DATA', ({ socket }) => socket.end()],
    ['its end within a capsule', ({ socket }) => socket.end(capsule(0x2028d7f2, 'abc').subarray(0, 9))],
  ])('%s is a reset to the service', async (_name, leave) => {
    const { service, story } = witness();
    const { open, ended } = await scene(service);
    const client = await open();
    client.send('x');
    await eventually(() => story() === 'x');
    leave(client);
    expect(await ended()).toMatchObject({ close: 1006, by: 'client', clean: false });
    await eventually(() => story().endsWith(' ECONNRESET'));
  });

  test.each<[string, Buffer, string]>([
    ['DATA after FINAL_DATA', capsule(0x2028d7f2, 'y'), 'data after FINAL_DATA'],
    [
      'a capsule that nobody waits for',
      Buffer.from('17bfffffff', 'hex'),
      'a capsule of more than 1048576 bytes',
    ],
  ])('%s is refused', async (_name, bytes, detail) => {
    const { service, story } = witness();
    const { open, ended } = await scene(service);
    const client = await open();
    client.final('x');
    await eventually(() => story() === 'x fin');
    client.socket.write(bytes);
    expect(await client.ended()).toBe('reset');
    expect(await ended()).toMatchObject({
      close: 1002,
      by: 'client',
      error: 'PROTOCOL_ERROR',
      detail: `connect-tcp: ${detail}`,
    });
  });

  test('a service is reset behind what the client had sent it', async () => {
    const { service, story } = witness();
    const { open } = await scene(service);
    const client = await open();
    client.socket.write(Buffer.concat([capsule(0x2028d7f2, 'all of it'), Buffer.from('17bfffffff', 'hex')]));
    await eventually(() => story() === 'all of it ECONNRESET');
  });
});

describe('the gateway ends it abruptly, and the log says why', () => {
  test.each<[string, Scene, string]>([
    ['nothing comes', { route: 'timeouts: { idle: 60ms },' }, 'IDLE'],
    ['it has lasted', { route: 'timeouts: { lifetime: 60ms },' }, 'LIFETIME'],
  ])('%s', async (_name, changes, error) => {
    const { service, story } = witness();
    const { open, ended } = await scene(service, changes);
    const client = await open();
    expect(await client.ended()).toBe('reset');
    expect(await ended()).toMatchObject({ by: 'gateway', error });
    await eventually(() => story() === ' ECONNRESET');
  });

  test('its token has expired', async () => {
    const { open, ended } = await scene(echo, { auth: '{ issuer: main }' });
    const client = await open({
      headers: { Authorization: `Bearer ${freshToken({ exp: Date.now() / 1000 + 2 })}` },
    });
    expect(await client.ended()).toBe('reset');
    expect(await ended()).toMatchObject({ close: 3000, by: 'gateway', error: 'TOKEN_EXPIRED' });
  });

  test('it drains', async () => {
    const { open, ended, gateway } = await scene(echo);
    const client = await open();
    await gateway.close();
    expect(await client.ended()).toBe('reset');
    expect(await ended()).toMatchObject({ close: 1001, by: 'gateway', error: 'GOING_AWAY' });
  });

  test('it sends too much', async () => {
    const { open, ended } = await scene(echo, {
      route: 'limits: { messages: { rate: 1/h, burst: 3, per: connection, over: close } },',
    });
    const client = await open();
    client.send('1', '2', '3');
    await client.until(() => client.text === '123', 'an echo');
    client.send('4');
    expect(await client.ended()).toBe('reset');
    expect(await ended()).toMatchObject({ error: 'RATE_LIMITED' });
  });

  test('it is not read', async () => {
    const { open, ended } = await scene(
      (socket) => {
        const more = () => {
          while (socket.write(Buffer.alloc(65_536)));
        };
        socket.on('error', () => {}).on('drain', more);
        more();
      },
      { route: 'timeouts: { stall: 100ms },' },
    );
    const client = await open();
    client.socket.pause();
    expect(await ended()).toMatchObject({ close: 1013, error: 'PEER_STALLED', detail: 'client' });
  });
});

test('a limit slows it down, and nothing is lost', async () => {
  const { open } = await scene(echo, {
    route: 'limits: { messages: { rate: 100/s, burst: 2, per: connection } },',
  });
  const client = await open();
  client.send(...'abcdefgh');
  client.final('i');
  client.socket.end();
  await client.until(() => client.isFinal, 'FINAL_DATA');
  expect(client.text).toBe('abcdefghi');
});

test('nothing is left when all have gone', async () => {
  const { open, gateway, listening } = await scene(mute);
  const clients = await Promise.all(Array.from({ length: 5 }, () => open()));
  const [first, second, ...others] = clients as [CapsulePeer, CapsulePeer, ...CapsulePeer[]];
  first.socket.resetAndDestroy();
  second.socket.end();
  for (const other of others) other.socket.destroy();
  await eventually(() => gateway.gateway.connections === 0);
  expect(listening.count).toBe(5);
  expect(metric(await gateway.metrics(), 'sallyport_sessions_open')).toBe(0);
});
