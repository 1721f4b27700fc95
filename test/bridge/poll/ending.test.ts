import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import {
  closeOf,
  fixtures,
  inboxOf,
  rawClient,
  type TestService,
  type TestSession,
  until,
} from '../../support/poll.ts';

const { service, harness, undo } = fixtures();
afterEach(undo);

const ENDING = { code: 3000, reason: 'The token has expired.', by: 'gateway', clean: false } as const;

/** A service that holds polls, takes messages and hears of the end; `cut` counts the polls that were taken from it. */
async function backendAndGateway(options: Parameters<typeof harness>[1] = {}, rest: object = {}) {
  const cuts: string[] = [];
  const backend = await service((request, response) => {
    if (request.url !== '/poll') return void response.end();
    response.on('close', () => cuts.push(request.url));
  });
  const poll = { path: '/poll' };
  const route = { target: backend.url, poll, send: { path: '/send' }, close: { path: '/leave' }, ...rest };
  return { backend, cuts, gateway: await harness(route, options) };
}

/** Resolves when a number has not changed for a while. */
async function untilStill(count: () => number): Promise<void> {
  let before = -1;
  while (before !== count()) {
    before = count();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Nobody waits for the goodbye, so it comes behind the end. */
async function toldOf(backend: TestService): Promise<string[]> {
  await until(() => pathsOf(backend).includes('/leave'), 'the request to close');
  return pathsOf(backend);
}

function pathsOf({ requests }: TestService): string[] {
  return requests.map(({ url }) => url).filter((url) => url !== '/poll');
}

describe('a client that closes', () => {
  test('has its last messages sent, then the service is told', async () => {
    const { backend, cuts, gateway } = await backendAndGateway();
    const client = await gateway.connect();
    await until(() => backend.requests.length === 1);
    for (let i = 0; i < 20; i++) client.send(String(i));
    client.close(1001, 'page left');
    expect(await gateway.endings[0]).toMatchObject({ code: 1001, reason: 'page left', by: 'client' });
    expect(await toldOf(backend)).toEqual([...Array(20).fill('/send'), '/leave']);
    await until(() => cuts.length === 1);
  });

  test('has the messages sent that a limit held back', async () => {
    let waits = 0;
    const admitMessage = () => (waits++ % 2 === 0 ? 5 : 0);
    const { backend, gateway } = await backendAndGateway({ session: { admitMessage } });
    const client = await gateway.connect();
    for (let i = 0; i < 5; i++) client.send(String(i));
    client.close(1000);
    await gateway.endings[0];
    expect(await toldOf(backend)).toEqual([...Array(5).fill('/send'), '/leave']);
  });

  test('is told of at once, though it does not read what a poll has brought', async () => {
    const backend = await service((request, response) => {
      response.end(request.url === '/poll' ? Buffer.alloc(1024 * 1024) : '');
    });
    const route = { target: backend.url, poll: { path: '/poll' }, close: { path: '/leave' } };
    // Longer than anybody waits here.
    const gateway = await harness(route, { session: { closeMs: 60_000, stallMs: 60_000 } });
    const client = await gateway.connect();
    client.pause();
    const { down } = gateway.sessions[0] as TestSession;
    await untilStill(() => down.bytes);
    client.close(1000);
    await until(() => pathsOf(backend).includes('/leave'), 'the request to close', 5_000);
    client.resume();
    expect(await gateway.endings[0]).toMatchObject({ code: 1000, by: 'client' });
  });

  test('without a code is told of as such', async () => {
    const { gateway } = await backendAndGateway();
    const client = await gateway.connect();
    client.close();
    expect(await gateway.endings[0]).toMatchObject({ code: 1005, by: 'client' });
  });
});

describe('a client that vanishes', () => {
  test.each([
    ['resets while idle', (client: Socket) => client.resetAndDestroy()],
    ['ends without a Close', (client: Socket) => client.end()],
    ['resets within a message', (client: Socket) => resetAfter(client, [0x81, 0x85, 1, 2, 3, 4, 5])],
    ['resets after a message', (client: Socket) => resetAfter(client, [0x81, 0x81, 0, 0, 0, 0, 0x61])],
    ['resets after its Close', (client: Socket) => resetAfter(client, [0x88, 0x80, 0, 0, 0, 0])],
  ])('%s', async (_, vanish) => {
    const { backend, cuts, gateway } = await backendAndGateway();
    const client = await rawClient(gateway);
    await until(() => backend.requests.length === 1);
    vanish(client);
    expect(await gateway.endings[0]).toMatchObject({ by: 'client' });
    expect((await toldOf(backend)).at(-1)).toBe('/leave');
    await until(() => cuts.length === 1);
  });

  test('while it is sent something', async () => {
    const backend = await service((request, response) => {
      if (request.url === '/poll') response.end(Buffer.alloc(1024 * 1024));
      else response.end();
    });
    const gateway = await harness({
      target: backend.url,
      poll: { path: '/poll' },
      close: { path: '/leave' },
    });
    const client = await rawClient(gateway);
    client.pause();
    await until(() => backend.requests.length > 2);
    client.resetAndDestroy();
    expect(await gateway.endings[0]).toMatchObject({ by: 'client' });
    await until(() => backend.requests.at(-1)?.url === '/leave');
  });

  test.each([
    ['resets', 'close', (client: Socket) => client.resetAndDestroy()],
    ['ends', 'end', (client: Socket) => client.end()],
  ] as const)('%s before the bridge runs', async (_, runAfter, vanish) => {
    const { backend, gateway } = await backendAndGateway({ runAfter });
    vanish(await rawClient(gateway));
    await until(() => gateway.endings.length === 1);
    expect(await gateway.endings[0]).toMatchObject({ code: 1006, by: 'client' });
    expect(await toldOf(backend)).toEqual(['/leave']);
  });

  test('before the 101: the open is cut', async () => {
    let cut = false;
    const backend = await service((_, response) => {
      response.on('close', () => {
        cut = true;
      });
    });
    const gateway = await harness({ target: backend.url, open: { path: '/join' }, poll: { path: '/poll' } });
    const client = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    client.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    await until(() => backend.requests.length === 1);
    client.resetAndDestroy();
    await until(() => cut);
    expect(gateway.sessions).toEqual([]);
  });
});

function resetAfter(client: Socket, bytes: number[]): void {
  client.write(Buffer.from(bytes), () => setTimeout(() => client.resetAndDestroy(), 10));
}

describe('a client that breaks the rules', () => {
  test.each([
    ['a message beyond the limit', [0x82, 0x85, 0, 0, 0, 0], 1009, 'MESSAGE_TOO_BIG', 'gateway'],
    ['text that is not UTF-8', [0x81, 0x81, 0, 0, 0, 0, 0xff], 1007, 'INVALID_PAYLOAD', 'client'],
    ['an unmasked frame', [0x81, 0x01, 0x61], 1002, 'PROTOCOL_ERROR', 'client'],
    ['a compressed frame', [0xc1, 0x81, 0, 0, 0, 0, 0x61], 1002, 'PROTOCOL_ERROR', 'client'],
  ])('%s', async (_, bytes, close, code, by) => {
    const { backend, gateway } = await backendAndGateway({ session: { messageSize: 4 } });
    const client = await rawClient(gateway);
    client.write(Buffer.from(bytes));
    const [frame] = (await once(client, 'data')) as [Buffer];
    expect([frame[0], frame.readUInt16BE(2)]).toEqual([0x88, close]);
    client.end();
    expect(await gateway.endings[0]).toMatchObject({ code: close, by, error: { code } });
    expect(await toldOf(backend)).toEqual(['/leave']);
  });
});

describe('the link', () => {
  test('closes with code and reason, sends what was taken, tells the service', async () => {
    const { backend, gateway } = await backendAndGateway();
    const client = await gateway.connect();
    client.send('last');
    await until(() => gateway.sessions[0]?.up.messages === 1);
    gateway.sessions[0]?.link?.close(ENDING);
    gateway.sessions[0]?.link?.close({ ...ENDING, code: 1011 });
    expect(await closeOf(client)).toEqual({ code: 3000, reason: 'The token has expired.' });
    expect(await gateway.endings[0]).toEqual(ENDING);
    expect(await toldOf(backend)).toEqual(['/send', '/leave']);
  });

  test('bears being used after the end', async () => {
    const { gateway } = await backendAndGateway();
    const client = await gateway.connect();
    client.terminate();
    const ending = await gateway.endings[0];
    const link = gateway.sessions[0]?.link;
    link?.ping();
    link?.unresponsivePeer(performance.now());
    link?.close(ENDING);
    link?.destroy();
    expect(await gateway.endings[0]).toBe(ending);
  });

  test('may close while it is being attached', async () => {
    const { gateway } = await backendAndGateway({ session: { attach: (link) => link.close(ENDING) } });
    const client = await gateway.connect();
    expect((await closeOf(client)).code).toBe(3000);
    expect(await gateway.endings[0]).toEqual(ENDING);
  });

  test('does not wait for a client that leaves the Close unanswered', async () => {
    const { gateway } = await backendAndGateway({ session: { closeMs: 50 } });
    const client = await rawClient(gateway);
    const gone = new Promise((resolve) => client.resume().once('close', resolve));
    gateway.sessions[0]?.link?.close(ENDING);
    expect(await gateway.endings[0]).toEqual(ENDING);
    await gone;
  });

  test('destroys without waiting for anybody', async () => {
    const backend = await service(() => {});
    const session = { closeMs: 60_000, stallMs: 60_000, admitMessage: () => 60_000 };
    const gateway = await harness(
      { target: backend.url, poll: { path: '/poll' }, send: { path: '/send' }, close: { path: '/leave' } },
      { session },
    );
    const client = await gateway.connect();
    client.send('held back');
    await until(() => backend.requests.length === 1);
    gateway.sessions[0]?.link?.close(ENDING);
    gateway.sessions[0]?.link?.destroy();
    expect(await gateway.endings[0]).toEqual(ENDING);
  });

  test('destroys a session whose messages are held back', async () => {
    const { backend, gateway } = await backendAndGateway({
      session: { stallMs: 60_000, admitMessage: () => 60_000 },
    });
    const client = await gateway.connect();
    client.send('held back');
    await until(() => backend.requests.length === 1);
    gateway.sessions[0]?.link?.destroy();
    expect(await gateway.endings[0]).toMatchObject({ code: 1001, by: 'gateway' });
    expect(pathsOf(backend)).toEqual([]);
  });

  test('reads the answer to its Close from a client that was not being read', async () => {
    const { gateway } = await backendAndGateway({
      session: { closeMs: 60_000, admitMessage: () => 60_000 },
    });
    const client = await gateway.connect();
    const link = gateway.sessions[0]?.link;
    client.send('held back');
    await until(() => {
      link?.ping();
      return link?.unresponsivePeer(performance.now()) === undefined;
    });
    link?.close(ENDING);
    expect(await gateway.endings[0]).toEqual(ENDING);
  });

  test('knows a client that answers pings from one that does not', async () => {
    const { gateway } = await backendAndGateway();
    const answering = await gateway.connect();
    await rawClient(gateway);
    const [first, second] = gateway.sessions.map(({ link }) => link);
    first?.ping();
    second?.ping();
    await once(answering, 'ping');
    await until(() => first?.unresponsivePeer(performance.now()) === undefined);
    expect(second?.unresponsivePeer(performance.now())).toMatchObject({ name: 'client' });
  });

  test('calls no client silent that it does not listen to', async () => {
    const { gateway } = await backendAndGateway({ session: { admitMessage: () => 60_000 } });
    const client = await gateway.connect();
    client.send('held back');
    const link = gateway.sessions[0]?.link;
    await until(() => {
      link?.ping();
      return link?.unresponsivePeer(performance.now()) === undefined;
    });
    link?.destroy();
  });
});

test('an ending of the service does not wait for messages it will not take', async () => {
  const backend = await service((request, response) => {
    if (request.url === '/poll') setTimeout(() => response.writeHead(410).end(), 20);
  });
  const gateway = await harness(
    { target: backend.url, poll: { path: '/poll' }, send: { path: '/send' } },
    { session: { closeMs: 60_000, stallMs: 60_000 } },
  );
  const client = await gateway.connect();
  const inbox = inboxOf(client);
  client.send('never answered');
  expect((await closeOf(client)).code).toBe(1014);
  await gateway.endings[0];
  expect(inbox.messages).toEqual([]);
});

test.each([
  ['', undefined],
  [`?resume=${'x'.repeat(22)}`, { token: 'query:resume' }],
])(
  'a client that was held back is read again when the service ends the session%s: all is heard and counted',
  async (query, linger) => {
    const sends: (() => void)[] = [];
    const backend = await service((_, response) => void sends.push(() => response.writeHead(403).end()));
    const route = { target: backend.url, send: { path: '/send' }, queueSize: '1KiB', linger };
    // Longer than anybody waits here.
    const gateway = await harness(route, { session: { closeMs: 60_000 } });
    const client = await gateway.connect({ path: `/rooms/blue${query}` });
    for (let i = 0; i < 1_000; i++) client.send(`${i} `.padEnd(200));
    await until(() => sends.length === 1);
    await untilStill(() => gateway.sessions[0]?.up.messages ?? 0);
    expect(gateway.sessions[0]?.up.messages).toBeLessThan(20);
    const closed = closeOf(client);
    sends[0]?.();
    expect(await closed).toMatchObject({ code: 3003 });
    expect(await gateway.endings[0]).toMatchObject({ code: 3003 });
    expect(gateway.sessions[0]).toMatchObject({ undelivered: 1_000, up: { messages: 1_000 } });
  },
);
