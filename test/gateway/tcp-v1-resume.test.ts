import { writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { decodeMessage } from '../../src/tcp-protocol/decode.ts';
import { encodeMessage } from '../../src/tcp-protocol/encode.ts';
import {
  TCP_PROTOCOL,
  TCP_RESUME_PROTOCOL,
  type TcpMessage,
  WINDOW_BYTES,
} from '../../src/tcp-protocol/types.ts';
import { backTo, metric, quietCensus } from '../support/census.ts';
import { folderWith } from '../support/cli.ts';
import { freshToken, TOKEN_ISSUER } from '../support/fresh.ts';
import type { TestGateway } from '../support/gateway.ts';
import { eventually } from '../support/patience.ts';
import { BINARY, dial, handshake } from '../support/raw.ts';
import { seeded } from '../support/seeded.ts';
import type { RawClient, RawOptions } from '../support/tcp-v1.ts';
import { countingBytes, TcpReturner } from '../support/tcp-v1-returner.ts';
import { bearer, echo, type Service, tcpScene } from '../support/tcp-v1-scene.ts';

/** Connections that outlive their WebSockets, through a whole gateway. */

const RESUME = ', resume: 60s';

/** A client that comes back offers this, too. */
const back: RawOptions = { protocols: [TCP_RESUME_PROTOCOL] };

async function counted(gateway: TestGateway): Promise<Record<string, number>> {
  const text = await gateway.metrics();
  const outcomes = ['resumed', 'taken_over', 'expired', 'ended', 'full', 'gone'];
  const counts = outcomes.map((outcome) => [outcome, metric(text, 'sallyport_resumed_total', { outcome })]);
  const waiting = metric(text, 'sallyport_lingering_sessions', { route: 'tcp' });
  return Object.fromEntries([...counts.filter(([, count]) => count), ['waiting', waiting]]);
}

/** Of a connection: its session has ended with it, or goes on. */
const hasEnded = ({ msg }: Record<string, unknown>) => msg === 'connection ended' || msg === 'session ended';

/** Is lost without a Close; resolves when the gateway has noticed. */
async function lose(client: RawClient, gateway: TestGateway, count = 1): Promise<void> {
  client.socket.terminate();
  await eventually(() => gateway.log.filter(hasEnded).length >= count);
}

/** Keeps what comes and how it ended. */
function keeping(act: (socket: Socket) => void = () => {}) {
  const kept = { text: '', ends: [] as string[] };
  const service: Service = (socket) => {
    socket.on('error', ({ code }: NodeJS.ErrnoException) => kept.ends.push(String(code)));
    socket.on('end', () => kept.ends.push('FIN'));
    socket.on('data', (chunk) => {
      kept.text += chunk.toString('latin1');
    });
    act(socket);
  };
  return { kept, service };
}

test('512 KiB both ways are the same, though the WebSocket is cut 20 times', async () => {
  const seed = (Math.random() * 2 ** 32) | 0;
  onTestFinished(({ task }) => {
    if (task.result?.state === 'fail') console.log(`seed ${seed}`);
  });
  const random = seeded(seed);
  const [up, down] = [countingBytes(512 * 1024), countingBytes(512 * 1024, 2 ** 24)];
  const got: Buffer[] = [];
  const { gateway } = await tcpScene(
    (socket) => {
      socket.on('error', () => {}).on('data', (chunk) => got.push(chunk));
      socket.end(down);
    },
    { upstream: RESUME },
  );
  const before = await quietCensus();
  const come: Buffer[] = [];
  const client = new TcpReturner(gateway.url('/tcp'), up, {
    random,
    onData: (bytes) => come.push(Buffer.from(bytes)),
  });
  let cuts = 0;
  while (await client.comeUntil(cuts < 20 ? 1 + random(20_000) : Infinity)) cuts++;
  expect(Buffer.concat(come).equals(down)).toBe(true);
  await eventually(() => got.reduce((sum, { length }) => sum + length, 0) === up.length);
  expect(Buffer.concat(got).equals(up)).toBe(true);
  expect(cuts).toBe(20);
  await backTo(before);
  const counts = await counted(gateway);
  expect(counts).toMatchObject({ waiting: 0 });
  expect((counts.resumed ?? 0) + (counts.taken_over ?? 0)).toBe(cuts);
});

test('what was on its way both ways is not lost, and comes once', async () => {
  const { kept, service } = keeping((socket) => void socket.write('from the service'));
  const { open, gateway } = await tcpScene(service, { upstream: RESUME });
  const first = await open();
  const { resumeId, resumeMs } = await first.the('OPENED');
  expect([resumeMs, resumeId.length]).toEqual([60_000, 16]);
  first.data('one ');
  await first.textOf(16);
  await eventually(() => kept.text === 'one ');
  await lose(first, gateway);
  expect(await counted(gateway)).toEqual({ waiting: 1 });
  const second = await open(back);
  second.send({ type: 'RESUME', resumeId, offset: 5, credit: 6 });
  expect(await second.the('RESUMED')).toEqual({
    type: 'RESUMED',
    offset: 4,
    credit: WINDOW_BYTES - 4,
    expiresAt: 0,
  });
  expect(await second.textOf(6)).toBe('the se');
  second.send({ type: 'WINDOW', credit: 100 });
  expect(await second.textOf(11)).toBe('the service');
  second.data('two');
  await eventually(() => kept.text === 'one two');
  expect(await counted(gateway)).toEqual({ resumed: 1, waiting: 0 });
  second.socket.close(1000);
  await eventually(() => kept.ends.length > 0);
  expect(kept.ends).toEqual(['FIN']);
});

test('what a client sends is acknowledged as it comes', async () => {
  const { open } = await tcpScene(echo, { upstream: RESUME });
  const client = await open();
  await client.the('OPENED');
  client.data(Buffer.alloc(40_000));
  await client.roundTrip();
  expect(client.has('ACK')).toBe(false);
  client.data(Buffer.alloc(40_000));
  expect(await client.the('ACK')).toEqual({ type: 'ACK', offset: 80_000 });
});

test('the log tells of both, the second as a connection that was resumed', async () => {
  const { open, gateway, target } = await tcpScene(echo, { upstream: RESUME });
  const first = await open();
  const { resumeId } = await first.the('OPENED');
  await lose(first, gateway);
  const second = await open(back);
  second.send({ type: 'RESUME', resumeId, offset: 0, credit: 0 });
  await second.the('RESUMED');
  second.socket.close(1000);
  await second.end();
  const ended = () => gateway.log.filter(hasEnded);
  await eventually(() => ended().length === 2);
  expect(ended()).toMatchObject([
    { msg: 'connection ended', target, close: 1006, by: 'client', clean: false },
    {
      msg: 'session ended',
      target,
      close: 1000,
      by: 'client',
      clean: true,
      resumed: true,
      awayMs: expect.any(Number),
    },
  ]);
  expect(JSON.stringify(gateway.log)).not.toContain(Buffer.from(resumeId).toString('hex'));
});

test('while nobody is there, no more than a window of what the service sends is taken', async () => {
  const { open, gateway } = await tcpScene(
    (socket) => {
      socket.on('error', () => {});
      const write = (error?: Error | null) => {
        if (!error) socket.write(Buffer.alloc(2 ** 16), write);
      };
      write();
    },
    { upstream: RESUME },
  );
  const first = await open();
  const { resumeId } = await first.the('OPENED');
  await lose(first, gateway);
  const second = await open(back);
  const { received } = first;
  second.send({ type: 'RESUME', resumeId, offset: received, credit: 16 * 2 ** 20 });
  await second.the('RESUMED');
  // Unacknowledged: what the first has not acknowledged either counts.
  await second.textOf(WINDOW_BYTES - received);
  await second.roundTrip();
  expect(second.received).toBeLessThanOrEqual(WINDOW_BYTES);
  const before = second.received;
  second.send({ type: 'ACK', offset: received + before });
  await eventually(() => second.received > before);
});

test('a second WebSocket takes the connection over: the first is closed with 4409', async () => {
  const { open, gateway } = await tcpScene(echo, { upstream: RESUME });
  const first = await open();
  const { resumeId } = await first.the('OPENED');
  const second = await open(back);
  second.send({ type: 'RESUME', resumeId, offset: 0, credit: WINDOW_BYTES });
  await second.the('RESUMED');
  expect((await first.end()).code).toBe(4409);
  second.data('x');
  expect(await second.textOf(1)).toBe('x');
  expect(await counted(gateway)).toEqual({ taken_over: 1, waiting: 0 });
});

const AUTH = '{ issuer: main }';
const OTHER = Buffer.alloc(16, 7);

test.each<[string, { readonly as?: string; readonly id?: Uint8Array; readonly offset?: number }]>([
  ['of another subject', { as: 'bob' }],
  ['that nobody knows', { id: OTHER }],
  ['with an offset that was never sent', { offset: 1 }],
])('an id %s is FAILED with 4410', async (_name, { as = 'ann', id, offset = 0 }) => {
  const { open, gateway } = await tcpScene(echo, { auth: AUTH, upstream: RESUME });
  const first = await open(bearer(freshToken({ sub: 'ann' })));
  const { resumeId } = await first.the('OPENED');
  await lose(first, gateway);
  const second = await open({ ...back, ...bearer(freshToken({ sub: as })) });
  second.send({ type: 'RESUME', resumeId: id ?? resumeId, offset, credit: 0 });
  expect(await second.the('FAILED')).toMatchObject({ code: 4410 });
  expect((await second.end()).code).toBe(4410);
  expect(await counted(gateway)).toEqual({ gone: 1, waiting: 1 });
});

test('where nothing can be resumed, coming back is FAILED with 4410 at once', async () => {
  const { open, listening } = await tcpScene(echo);
  const client = await open(back);
  expect(await client.the('FAILED')).toMatchObject({ code: 4410 });
  expect((await client.end()).code).toBe(4410);
  expect(listening.count).toBe(0);
});

test('what comes before RESUME is a fault, and RESUME has its time', async () => {
  const { open } = await tcpScene(echo, { upstream: RESUME, route: 'timeouts: { handshake: 1s },' });
  const hasty = await open(back);
  hasty.data('x');
  expect(await hasty.the('FAILED')).toMatchObject({ code: 1002, error: 'http_protocol_error' });
  const mute = await open(back);
  expect(await mute.the('FAILED')).toMatchObject({ code: 1002 });
  expect((await mute.end()).code).toBe(1002);
});

test('nobody comes back: the service gets a reset', async () => {
  const { kept, service } = keeping();
  const { open, gateway } = await tcpScene(service, { upstream: ', resume: 50ms' });
  const client = await open();
  client.data('half of it');
  await eventually(() => kept.text !== '');
  await lose(client, gateway);
  await eventually(() => kept.ends.length > 0);
  expect(kept.ends).toEqual(['ECONNRESET']);
  await eventually(async () => (await counted(gateway)).expired === 1);
  expect(await counted(gateway)).toEqual({ expired: 1, waiting: 0 });
});

test('one whose client is revoked while it is away ends at once: the service gets a reset', async () => {
  const { kept, service } = keeping();
  const revoked = join(await folderWith({ revoked: '' }), 'revoked');
  const { open, gateway } = await tcpScene(service, {
    auth: '{ issuer: main }',
    upstream: RESUME,
    issuers: `revocations: "file:${revoked}"\n${TOKEN_ISSUER}`,
  });
  const client = await open(bearer(freshToken({ sub: 'alice' })));
  client.data('half of it');
  await eventually(() => kept.text !== '');
  await lose(client, gateway);
  await writeFile(revoked, 'subject alice\n');
  await gateway.gateway.reload();
  await eventually(() => kept.ends.length > 0);
  expect(kept.ends).toEqual(['ECONNRESET']);
  await eventually(async () => (await counted(gateway)).ended === 1);
});

test('where no place is left, a lost client ends its connection', async () => {
  const { kept, service } = keeping();
  const { open, gateway } = await tcpScene(service, { upstream: ', resume: { for: 60s, max: 1 }' });
  const [one, two] = [await open(), await open()];
  one.data('1');
  two.data('2');
  await eventually(() => kept.text.length === 2);
  await lose(one, gateway);
  await lose(two, gateway, 2);
  await eventually(() => kept.ends.length === 1);
  expect(await counted(gateway)).toEqual({ full: 1, waiting: 1 });
});

test('a drain resets those that are away', async () => {
  const { kept, service } = keeping();
  const { open, gateway } = await tcpScene(service, { upstream: RESUME });
  const client = await open();
  client.data('x');
  await eventually(() => kept.text !== '');
  await lose(client, gateway);
  const begun = performance.now();
  await gateway.close();
  await eventually(() => kept.ends.length > 0);
  expect(kept.ends).toEqual(['ECONNRESET']);
  expect(performance.now() - begun).toBeLessThan(1_500);
});

test('a Close, a RESET and a fault are no loss: nobody comes back to those', async () => {
  const { open, gateway } = await tcpScene(echo, { upstream: RESUME });
  const leave: ((client: RawClient) => void)[] = [
    ({ socket }) => socket.close(4000),
    ({ socket }) => socket.close(1000),
    (client) => client.send({ type: 'RESET', code: 1000, error: '', text: '' }),
    ({ socket }) => socket.send('text'),
  ];
  for (const way of leave) {
    const client = await open();
    await client.the('OPENED');
    way(client);
    client.socket.close();
    await client.end();
  }
  await gateway.logged(({ msg }) => msg === 'session ended');
  expect(await counted(gateway)).toEqual({ waiting: 0 });
});

test('a service that ends while nobody is there: its last words and its FIN are kept', async () => {
  const sockets: Socket[] = [];
  const { open, gateway } = await tcpScene(
    (socket) => void sockets.push(socket.on('error', () => {}).resume()),
    {
      upstream: RESUME,
    },
  );
  const first = await open();
  const { resumeId } = await first.the('OPENED');
  first.send({ type: 'FIN' });
  await lose(first, gateway);
  sockets[0]?.end('last words');
  const second = await open(back);
  second.send({ type: 'RESUME', resumeId, offset: 0, credit: WINDOW_BYTES }, { type: 'FIN' });
  await second.the('FIN');
  expect(second.text).toBe('last words');
  expect((await second.end()).code).toBe(1000);
});

test('a service that is lost while nobody is there is gone', async () => {
  const sockets: Socket[] = [];
  const { open, gateway } = await tcpScene((socket) => void sockets.push(socket.on('error', () => {})), {
    upstream: RESUME,
  });
  const first = await open();
  const { resumeId } = await first.the('OPENED');
  await lose(first, gateway);
  sockets[0]?.resetAndDestroy();
  await eventually(async () => (await counted(gateway)).ended === 1);
  const second = await open(back);
  second.send({ type: 'RESUME', resumeId, offset: 0, credit: WINDOW_BYTES });
  expect(await second.the('FAILED')).toMatchObject({ code: 4410 });
});

test('both directions were through, and the client has not heard: it may come back for the rest', async () => {
  const service: Service = (socket) =>
    void socket
      .on('error', () => {})
      .resume()
      .end('all of it');
  const { open, gateway } = await tcpScene(service, { upstream: RESUME });
  using wire = await dial(gateway.port, { polite: false });
  wire.write(handshake('/tcp', { 'Sec-WebSocket-Protocol': TCP_PROTOCOL }));
  wire.send(BINARY, Buffer.from(encodeMessage({ type: 'FIN' })));
  // Its Close is not answered.
  await wire.until(() => wire.close !== undefined, 'a Close');
  const opened = decodeMessage(await wire.message());
  wire.socket.destroy();
  await gateway.logged(hasEnded);
  const { resumeId } = opened as Extract<TcpMessage, { type: 'OPENED' }>;
  const second = await open(back);
  second.send({ type: 'RESUME', resumeId, offset: 4, credit: WINDOW_BYTES }, { type: 'FIN' });
  await second.the('FIN');
  expect(second.text).toBe('of it');
  expect((await second.end()).code).toBe(1000);
});
