import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws';
import { type Case, filler, type Heard } from './support/conformance/case.ts';
import { closing } from './support/conformance/closing.ts';
import { DEFLATE_CASES, PLAIN_CASES } from './support/conformance/deflate.ts';
import { fragmentation, framing, masking, pings, reserved } from './support/conformance/frames.ts';
import { utf8 } from './support/conformance/text.ts';
import { startGateway, type TestGateway } from './support/gateway.ts';
import {
  BINARY,
  CLOSE,
  clientFrame,
  closePayload,
  messageFrames,
  openRaw,
  PING,
  PONG,
  type RawClient,
  serverFrame,
  TEXT,
} from './support/rawclient.ts';

/** RFC 6455 and RFC 7692 from the outside: a raw client, the gateway, and `ws` echoing behind it. */

/** The server starts each message anew, so that every answer can be inflated by itself (RFC 7692 §7.1.1.1). */
const OFFER = 'Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover';

let plainEcho: WebSocketServer;
let deflateEcho: WebSocketServer;
let gateway: TestGateway;

beforeAll(async () => {
  plainEcho = await startEcho({});
  deflateEcho = await startEcho({ perMessageDeflate: { threshold: 0 } });
  gateway = await startGateway(`
routes:
  - { name: plain, match: { path: /plain }, auth: none, timeouts: { close: 1m }, upstream: { websocket: "ws://127.0.0.1:${portOf(plainEcho)}" } }
  - { name: deflate, match: { path: /deflate }, auth: none, timeouts: { close: 1m }, upstream: { websocket: "ws://127.0.0.1:${portOf(deflateEcho)}" } }`);
});

afterAll(async () => {
  await gateway?.close();
  plainEcho?.close();
  deflateEcho?.close();
});

async function startEcho(options: object): Promise<WebSocketServer> {
  // By itself `ws` gives a client up that sends more than 60 pings at a time; its types do not know the option.
  const patience: object = { maxPendingAutoPongs: 0 };
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...patience, ...options });
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
  await once(server, 'listening');
  return server;
}

function portOf(server: WebSocketServer): number {
  return (server.address() as AddressInfo).port;
}

async function open(deflate: boolean): Promise<RawClient> {
  const client = await openRaw(gateway.port, deflate ? '/deflate' : '/plain', deflate ? [OFFER] : []);
  onTestFinished(() => client.destroy());
  return client;
}

async function converse(spoken: Case, deflate: boolean, how: 'whole' | 'chopped'): Promise<void> {
  const client = await open(deflate);
  await client.say(
    spoken.say((opcode, payload, cuts = []) => messageFrames(opcode, payload, { cuts, deflate })),
    how,
  );
  await expectToHear(client, spoken.hears, deflate);
}

/** Without deflate octet for octet; with it the frames, inflated. */
async function expectToHear(client: RawClient, hears: readonly Heard[], deflate: boolean): Promise<void> {
  if (deflate) {
    const heard = (await client.frames()).map(({ opcode, payload }) => inShort(opcode, payload));
    expect(heard).toEqual(hears.map(([opcode, payload]) => inShort(opcode, payload)));
    return;
  }
  const wanted = Buffer.concat(hears.map(([opcode, payload]) => serverFrame(opcode, payload)));
  expect(inShort('bytes', await client.bytes())).toEqual(inShort('bytes', wanted));
}

/** Enough to tell two payloads apart; comparing long ones element by element would take the test runner minutes. */
function inShort(kind: string | number, payload: Buffer | string): string {
  const bytes = Buffer.from(payload);
  const hash = createHash('sha1').update(bytes).digest('hex');
  return `${kind} ${bytes.length} ${bytes.toString('hex', 0, 160)} ${hash}`;
}

describe.each([
  { mode: 'without deflate', deflate: false },
  { mode: 'with deflate', deflate: true },
])('$mode', ({ deflate }) => {
  const sections = {
    framing,
    masking,
    reserved,
    pings,
    fragmentation,
    utf8,
    closing,
    deflate: deflate ? DEFLATE_CASES : PLAIN_CASES,
  };

  describe.each(Object.entries(sections))('%s', (_, cases) => {
    test.each(cases)('$name', (spoken) => converse(spoken, deflate, 'whole'));

    const short = cases.filter(({ say }) => octetsOf(say) < 10_000);
    test.each(short)('$name, octet by octet', (spoken) => converse(spoken, deflate, 'chopped'));
  });
});

function octetsOf(say: Case['say']): number {
  return Buffer.concat(say((opcode, payload, cuts = []) => messageFrames(opcode, payload, { cuts }))).length;
}

describe.each([
  { mode: 'without deflate', deflate: false },
  { mode: 'with deflate', deflate: true },
])('many and large, $mode', ({ deflate }) => {
  const bye = clientFrame(CLOSE, closePayload(1000));
  const hearsBye: Heard = [CLOSE, closePayload(1000)];

  test.each([
    [1, 1],
    [4, 1],
    [16, 1],
    [1, 64],
    [4, 1024],
    [16, 4096],
  ])('%i MiB in %i fragments', async (mebibytes, fragments) => {
    const payload = Buffer.concat(Array.from({ length: mebibytes }, () => filler(2 ** 20)));
    const cuts = Array.from({ length: fragments - 1 }, (_, i) =>
      Math.ceil(((i + 1) * payload.length) / fragments),
    );
    const client = await open(deflate);
    await client.say(messageFrames(BINARY, payload, { cuts, deflate }));
    await client.frame(0);
    await client.say([bye]);
    await expectToHear(client, [[BINARY, payload], hearsBye], deflate);
  });

  test.each([0, 16, 64, 256, 1024, 4096])('a thousand messages of %i bytes in one write', async (size) => {
    const messages = Array.from(
      { length: 1000 },
      (_, index): Heard => [index % 2 === 0 ? TEXT : BINARY, Buffer.concat([filler(size).subarray(0, size)])],
    );
    const client = await open(deflate);
    const frames = messages.flatMap(([opcode, payload]) => messageFrames(opcode, payload, { deflate }));
    await client.say(frames);
    await client.frame(messages.length - 1);
    await client.say([bye]);
    await expectToHear(client, [...messages, hearsBye], deflate);
  });

  test('a message at a time, there and back, five hundred times', async () => {
    const client = await open(deflate);
    for (let index = 0; index < 500; index++) {
      await client.say(messageFrames(TEXT, `message ${index}`, { deflate }));
      expect(String((await client.frame(index)).payload)).toBe(`message ${index}`);
    }
  });

  test('what was echoed before a violation stays delivered, and nothing follows the Close', async () => {
    const client = await open(deflate);
    await client.say([...messageFrames(TEXT, 'echo me', { deflate }), clientFrame(PING, 'and me')]);
    expect([await client.frame(0), await client.frame(1)]).toEqual([
      { opcode: TEXT, payload: Buffer.from('echo me') },
      { opcode: PONG, payload: Buffer.from('and me') },
    ]);
    await client.say([clientFrame(TEXT, 'x', { rsv: 0x10 }), ...messageFrames(TEXT, 'no more', { deflate })]);
    const [close, ...more] = (await client.frames()).slice(2);
    expect([close?.opcode, close?.payload.readUInt16BE(0), more]).toEqual([CLOSE, 1002, []]);
  });
});

describe('what ws negotiates for permessage-deflate', () => {
  const bits = [9, 10, 11, 12, 13, 14, 15];
  const offers: ClientOptions['perMessageDeflate'][] = [
    true,
    ...bits.map((serverMaxWindowBits) => ({ serverMaxWindowBits })),
    ...bits.map((clientMaxWindowBits) => ({ clientMaxWindowBits })),
    {
      clientMaxWindowBits: 9,
      serverMaxWindowBits: 9,
      clientNoContextTakeover: true,
      serverNoContextTakeover: true,
    },
    { clientNoContextTakeover: true },
    { serverNoContextTakeover: true },
    { clientNoContextTakeover: true, serverNoContextTakeover: true },
  ];

  test.each(offers.map((offer) => [JSON.stringify(offer), offer] as const))(
    '%s',
    async (_, perMessageDeflate) => {
      const [through, direct] = await Promise.all([
        converseWithLibrary(gateway.url('/deflate'), perMessageDeflate),
        converseWithLibrary(`ws://127.0.0.1:${portOf(deflateEcho)}`, perMessageDeflate),
      ]);
      expect(through.negotiated).toMatch(/^permessage-deflate/);
      expect(through).toEqual(direct);
    },
  );

  async function converseWithLibrary(url: string, perMessageDeflate: ClientOptions['perMessageDeflate']) {
    const options = typeof perMessageDeflate === 'object' ? { threshold: 0, ...perMessageDeflate } : true;
    const client = new WebSocket(url, { perMessageDeflate: options });
    onTestFinished(() => client.terminate());
    const opened = once(client, 'open');
    const [response] = (await once(client, 'upgrade')) as [IncomingMessage];
    await opened;
    const sizes = [0, 1, 100, 5_000, 100_000, 100_000, 300_000];
    for (const size of sizes) {
      client.send(filler(size), { binary: true });
      const [data, isBinary] = (await once(client, 'message')) as [Buffer, boolean];
      expect([isBinary, data.equals(filler(size))]).toEqual([true, true]);
    }
    client.close(4000, 'done');
    const [code, reason] = (await once(client, 'close')) as [number, Buffer];
    return { negotiated: response.headers['sec-websocket-extensions'], code, reason: String(reason) };
  }
});

test('every connection of this file is counted out again', async () => {
  await expect.poll(() => gateway.gateway.connections).toBe(0);
});
