import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backTo, eventually, quietCensus } from '../support/census.ts';
import { startEcho, type Upstream } from '../support/faulty.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { BINARY, dial, frame, handshake, open, say, TEXT } from '../support/raw.ts';
import { encode, ISSUER, mint, mintText, SECRET, signingKey, unsigned } from '../support/tokens.ts';

/** Attacks on the handshake, as raw bytes: a status comes back, and nothing reaches the upstream. */

const HS = signingKey('HS256');
const EXP = Math.floor(Date.now() / 1000) + 3600;

/** Stands in the names of the fuzz tests, so that a failure can be played again: with FC_SEED. */
const SEED = fc.readConfigureGlobal().seed ?? Date.now() % 2 ** 31;

let gateway: TestGateway;
let echo: Upstream;

beforeAll(async () => {
  echo = await startEcho();
  gateway = await startGateway(
    `
issuers:
  main: { issuer: "${ISSUER}", audience: realtime, algorithms: [HS256], secret: "\${SECRET}" }
routes:
  - name: guarded
    match: { path: /guarded }
    origins: [https://app.test]
    auth: { issuer: main, token: [header, cookie:session, query:t] }
    upstream: { websocket: "ws://127.0.0.1:${echo.port}" }
  - name: open
    match: { path: /open/* }
    auth: none
    limits: { messageSize: 64KiB }
    timeouts: { close: 200ms }
    upstream: { websocket: "ws://127.0.0.1:${echo.port}" }`,
    { SECRET },
  );
});
afterAll(async () => {
  await gateway.close();
  await echo.close();
});

/** The status with which these bytes are refused; the connection has ended, and nobody has been dialled. */
async function statusOf(bytes: string | Buffer): Promise<number> {
  const dialled = echo.wires.length;
  using client = await say(gateway.port, bytes);
  const { status } = await client.answer();
  await client.ended();
  expect(echo.wires.length).toBe(dialled);
  return status;
}

const OPEN = '/open/x';

describe('a handshake is refused', () => {
  test.each([
    [400, 'without a Host', handshake(OPEN, { Host: undefined })],
    [400, 'with two Hosts', handshake(OPEN, { Host: ['a', 'b'] })],
    [400, 'with a Host that is none', handshake(OPEN, { Host: 'a b' })],
    [400, 'over HTTP/1.0', handshake(OPEN).replace('HTTP/1.1', 'HTTP/1.0')],
    [400, 'over HTTP/2.0 by name', handshake(OPEN).replace('HTTP/1.1', 'HTTP/2.0')],
    [400, 'with a body by length', handshake(OPEN, { 'Content-Length': '5' })],
    [400, 'with a body by chunks', handshake(OPEN, { 'Transfer-Encoding': 'chunked' })],
    [426, 'with version 8', handshake(OPEN, { 'Sec-WebSocket-Version': '8' })],
    [426, 'without a version', handshake(OPEN, { 'Sec-WebSocket-Version': undefined })],
    [400, 'with two versions', handshake(OPEN, { 'Sec-WebSocket-Version': ['13', '8'] })],
    [426, 'to h2c', handshake(OPEN, { Upgrade: 'h2c' })],
    [426, 'to h2c and websocket', handshake(OPEN, { Upgrade: 'websocket, h2c' })],
    [400, 'without a key', handshake(OPEN, { 'Sec-WebSocket-Key': undefined })],
    [400, 'with a short key', handshake(OPEN, { 'Sec-WebSocket-Key': 'YQ==' })],
    [
      400,
      'with two keys',
      handshake(OPEN, { 'Sec-WebSocket-Key': ['a', 'b'].map((c) => `${c.repeat(22)}==`) }),
    ],
    [405, 'by POST', handshake(OPEN).replace('GET', 'POST')],
    [405, 'by CONNECT', handshake('127.0.0.1:1').replace('GET', 'CONNECT')],
    [400, 'for an absolute target with credentials', handshake(`http://me:pw@127.0.0.1${OPEN}`)],
    [400, 'for an absolute target of another scheme', handshake(`ws://127.0.0.1${OPEN}`)],
    [400, 'for an asterisk', handshake('*')],
    [405, 'by OPTIONS for an asterisk', handshake('*').replace('GET', 'OPTIONS')],
    [400, 'for a path with dot segments', handshake('/open/../guarded')],
    [400, 'for a path with hidden dot segments', handshake('/open/%2e%2e/guarded')],
    [400, 'for a path with an encoded slash that could lead elsewhere', handshake('/open%2fguarded')],
    [400, 'for a path with a NUL that could lead elsewhere', handshake('/guarded%00/x')],
    [400, 'with a bare LF', handshake(OPEN).replaceAll('\r\n', '\n')],
    [400, 'with a space before a colon', handshake(OPEN).replace('Upgrade:', 'Upgrade :')],
    [400, 'with a folded header', handshake(OPEN).replace('Upgrade: websocket', 'Upgrade:\r\n websocket')],
    [431, 'with 20 KB of headers', handshake(OPEN, { 'X-A': 'a'.repeat(20_000) })],
    [431, 'with 500 headers', handshake(OPEN, { 'X-A': Array<string>(500).fill('a') })],
    [
      400,
      'that smuggles a second request',
      `${handshake(OPEN, { 'Content-Length': '40' })}GET /open/2 HTTP/1.1\r\n`,
    ],
    [400, 'that is a TLS one', Buffer.from('16030100a1010000', 'hex')],
    [
      400,
      'with a broken deflate offer',
      handshake(OPEN, { 'Sec-WebSocket-Extensions': 'permessage-deflate; =' }),
    ],
    [400, 'with two Authorizations', handshake(OPEN, { Authorization: ['Bearer a', 'Bearer b'] })],
    [404, 'for a path nobody serves', handshake('/none')],
  ])('with %i: %s', async (status, _name, bytes) => {
    expect(await statusOf(bytes)).toBe(status);
  });

  const APP = { Origin: 'https://app.test' };
  const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
  const good = mint(HS, { exp: EXP });
  const signed = (payload: string) => mintText(HS, '{"alg":"HS256"}', payload);
  const claims = (exp: string) => signed(`{"iss":"${ISSUER}","aud":"realtime","exp":${exp}}`);
  test.each([
    [403, 'from a foreign origin', { Origin: 'https://app.test.evil', ...bearer(good) }],
    [403, 'from a null origin', { Origin: 'null', ...bearer(good) }],
    [400, 'from two origins', { Origin: ['https://app.test', 'https://evil.test'], ...bearer(good) }],
    [403, 'by a cookie without an origin', { Cookie: `session=${good}` }],
    [401, 'without a token', APP],
    [401, 'with alg none', { ...APP, ...bearer(unsigned({ alg: 'none' }, '')) }],
    [
      401,
      'with a token of another algorithm',
      { ...APP, ...bearer(mint(signingKey('ES256'), { exp: EXP })) },
    ],
    [
      401,
      'with a forged signature',
      { ...APP, ...bearer(mint(signingKey('HS256', 'x'.repeat(64)), { exp: EXP })) },
    ],
    [
      401,
      'with a token of another issuer',
      { ...APP, ...bearer(mint(HS, { exp: EXP, iss: 'https://evil.test/' })) },
    ],
    [401, 'with a token for another audience', { ...APP, ...bearer(mint(HS, { exp: EXP, aud: 'other' })) }],
    [401, 'with exp as text', { ...APP, ...bearer(claims(`"${EXP}"`)) }],
    [401, 'with exp beyond numbers', { ...APP, ...bearer(claims('1e400')) }],
    [401, 'without exp', { ...APP, ...bearer(mint(HS, { exp: undefined })) }],
    [401, 'with nbf to come', { ...APP, ...bearer(mint(HS, { exp: EXP, nbf: EXP })) }],
    [401, 'with a token of 9 KiB', { ...APP, ...bearer(mint(HS, { exp: EXP, pad: 'x'.repeat(9000) })) }],
    [401, 'with five parts', { ...APP, ...bearer(`${good}.a.b`) }],
    [
      401,
      'with a hostile kid',
      { ...APP, ...bearer(mint(HS, { exp: EXP }, { kid: '../../dev/null' }).replace(/\.[^.]+$/, '.AA')) },
    ],
    [400, 'with two different tokens', { ...APP, ...bearer(good), Cookie: `session=${good}x` }],
  ])('with %i: %s', async (status, _name, headers) => {
    expect(await statusOf(handshake('/guarded', headers))).toBe(status);
  });

  test('but not when all is well', async () => {
    using client = await open(gateway.port, '/guarded', { ...APP, ...bearer(good) });
    client.send(TEXT, 'hello');
    expect((await client.message()).toString()).toBe('hello');
  });
});

test('a thousand refusals leave no socket behind', async () => {
  const before = await quietCensus();
  for (let i = 0; i < 50; i++) {
    await Promise.all(
      Array.from({ length: 20 }, () => statusOf(handshake('/guarded', { Origin: 'https://x.test' }))),
    );
  }
  await backTo(before);
});

/** Bytes cut out, put in or changed at any place. */
const mutation = fc.record({ at: fc.nat(400), cut: fc.nat(3), put: fc.uint8Array({ maxLength: 3 }) });

function mutate(text: string, changes: readonly { at: number; cut: number; put: Uint8Array }[]): Buffer {
  return changes.reduce(
    (bytes, { at, cut, put }) => {
      const place = at % bytes.length;
      return Buffer.concat([bytes.subarray(0, place), put, bytes.subarray(place + cut)]);
    },
    Buffer.from(text, 'latin1'),
  );
}

test(`survives five thousand mutated handshakes (seed ${SEED})`, async () => {
  const before = await quietCensus();
  const sample = fc.sample(fc.array(mutation, { minLength: 1, maxLength: 3 }), {
    numRuns: 5_000,
    seed: SEED,
  });
  const text = handshake('/open/fuzz', { 'Sec-WebSocket-Protocol': 'chat', Cookie: 'a=b' });
  for (let i = 0; i < sample.length; i += 100) {
    await Promise.all(sample.slice(i, i + 100).map((changes) => lie(mutate(text, changes))));
  }
  await eventually(() => gateway.gateway.connections === 0);
  await backTo(before);
  using client = await open(gateway.port, '/open/after');
  client.send(TEXT, 'alive');
  expect((await client.message()).toString()).toBe('alive');
});

/** Sends bytes and hangs up. */
async function lie(bytes: Buffer): Promise<void> {
  using client = await dial(gateway.port);
  client.socket.end(bytes);
  await client.ended();
}

const anyFrame = fc
  .record({
    opcode: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(0, 1, 2, 9, 10) }, fc.nat(15)),
    payload: fc.uint8Array({ maxLength: 200 }),
    fin: fc.boolean(),
    masked: fc.oneof({ weight: 20, arbitrary: fc.constant(true) }, fc.constant(false)),
    rsv: fc.oneof({ weight: 20, arbitrary: fc.constant(0) }, fc.nat(7)),
    length: fc.option(fc.integer({ min: 0, max: 2 ** 40 }), { nil: undefined, freq: 20 }),
  })
  .map(({ opcode, payload, ...options }) => frame(opcode, Buffer.from(payload), options));

test(`survives twenty thousand random frames (seed ${SEED})`, async () => {
  const before = await quietCensus();
  const sample = fc.sample(fc.array(anyFrame, { minLength: 10, maxLength: 10 }), {
    numRuns: 2_000,
    seed: SEED,
  });
  for (let i = 0; i < sample.length; i += 50) {
    await Promise.all(sample.slice(i, i + 50).map((frames) => rant(Buffer.concat(frames))));
  }
  await eventually(() => gateway.gateway.connections === 0);
  await backTo(before);
  using client = await open(gateway.port, '/open/after');
  client.send(BINARY, encode('alive'));
  expect((await client.message()).toString()).toBe(encode('alive'));
}, 60_000);

/** Sends bytes on an open WebSocket and hangs up; if the gateway says anything, it is legal. */
async function rant(bytes: Buffer): Promise<void> {
  using client = await open(gateway.port, '/open/fuzz');
  client.polite = false;
  client.socket.end(bytes);
  const close = await client.ended();
  if (close !== undefined) expect([1000, 1001, 1002, 1005, 1007, 1009]).toContain(close.code);
}
