import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/census.ts';
import { startEcho, type Upstream } from '../support/faulty.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { BINARY, frame, handshake, open, PING, say, TEXT, type Wire } from '../support/raw.ts';
import { ISSUER, mint, SECRET, signingKey } from '../support/tokens.ts';

/** Limits as clients meet them. */

const HS = signingKey('HS256');
const EXP = Math.floor(Date.now() / 1000) + 3600;
const tokenOf = (sub: string) => ({
  Authorization: `Bearer ${mint(HS, { exp: EXP, sub, org: { id: `of ${sub}` } })}`,
});
const from = (origin: string) => ({ Origin: `https://${origin}.test` });

let gateway: TestGateway;
let echo: Upstream;

const PER = ['origin', 'address', 'subject', 'claim:/org/id', 'route'] as const;

/** `per` as a part of names and paths. */
const slug = (per: string) => per.replaceAll(/[:/]/g, '.');

/** Routes by name: what is limited, and by whom it is counted. */
function routes(): string[] {
  const limits: Record<string, string> = {};
  for (const per of PER) {
    limits[`up-${slug(per)}`] = `upgrades: { rate: 2/h, per: "${per}" }`;
    limits[`places-${slug(per)}`] = `connections: { max: 2, per: "${per}" }`;
  }
  for (const per of [...PER, 'connection']) {
    limits[`msgs-${slug(per)}`] = `messages: { rate: 3/h, per: "${per}", over: close }`;
    limits[`bytes-${slug(per)}`] = `bytes: { rate: 1KiB/h, per: "${per}", over: close }`;
  }
  limits['slow-messages'] = 'messages: { rate: 50/s, burst: 5, per: connection, over: throttle }';
  limits['slow-bytes'] = 'bytes: { rate: 64KiB/s, per: connection, over: throttle }';
  limits.size = 'messageSize: 100B';
  return Object.entries(limits).map(
    ([name, limit]) => `
  - name: ${name}
    match: { path: /${name} }
    origins: [https://a.test, https://b.test]
    auth: { issuer: main }
    limits: { ${limit} }
    timeouts: { close: 200ms }
    upstream: { websocket: "ws://127.0.0.1:${echo.port}" }`,
  );
}

beforeAll(async () => {
  echo = await startEcho();
  const issuer = `main: { issuer: "${ISSUER}", audience: realtime, algorithms: [HS256], secret: "\${SECRET}" }`;
  gateway = await startGateway(`issuers:\n  ${issuer}\nroutes:${routes().join('')}`, { SECRET });
});
afterAll(async () => {
  await gateway.close();
  await echo.close();
});

const ALICE = { ...tokenOf('alice'), ...from('a') };
/** The same client as far as `per` goes, and one that is another where there can be one from one address. */
const OTHERS = {
  origin: { same: { ...tokenOf('bob'), ...from('a') }, other: { ...tokenOf('alice'), ...from('b') } },
  subject: { same: { ...tokenOf('alice'), ...from('b') }, other: { ...tokenOf('bob'), ...from('a') } },
  'claim:/org/id': {
    same: { ...tokenOf('alice'), ...from('b') },
    other: { ...tokenOf('bob'), ...from('a') },
  },
  address: { same: { ...tokenOf('bob'), ...from('b') }, other: undefined },
  route: { same: { ...tokenOf('bob'), ...from('b') }, other: undefined },
};

describe.each(PER)('per %s', (per) => {
  const { same, other } = OTHERS[per];

  test('upgrades beyond the rate get 429 and the RateLimit fields', async () => {
    for (const headers of [ALICE, same]) {
      using _client = await open(gateway.port, `/up-${slug(per)}`, headers);
    }
    using client = await say(gateway.port, handshake(`/up-${slug(per)}`, ALICE));
    const answer = await client.answer();
    expect(answer).toMatchObject({ status: 429, body: expect.stringMatching(/^RATE_LIMITED: /) });
    expect(answer.headers).toMatchObject({
      'ratelimit-policy': `"upgrades-per-${per.split(':')[0]}";q=2;w=3600`,
      ratelimit: expect.stringMatching(/^"upgrades-per-[a-z]+";r=0;t=\d+$/),
      'retry-after': expect.stringMatching(/^1[78]\d\d$/),
    });
    if (other === undefined) return;
    using _free = await open(gateway.port, `/up-${slug(per)}`, other);
  });

  test('places are limited, and given back when a connection ends', async () => {
    using first = await open(gateway.port, `/places-${slug(per)}`, ALICE);
    using second = await open(gateway.port, `/places-${slug(per)}`, same);
    using refused = await say(gateway.port, handshake(`/places-${slug(per)}`, ALICE));
    expect(await refused.answer()).toMatchObject({ status: 429, body: expect.stringMatching(/^TOO_MANY/) });
    if (other !== undefined) {
      using _free = await open(gateway.port, `/places-${slug(per)}`, other);
    }
    const { connections } = gateway.gateway;
    first.sendClose(1000);
    await first.ended();
    await eventually(() => gateway.gateway.connections < connections);
    using _third = await open(gateway.port, `/places-${slug(per)}`, ALICE);
    expect(second.end).toBeUndefined();
  });

  test('messages of all are counted together', async () => {
    using one = await open(gateway.port, `/msgs-${slug(per)}`, ALICE);
    using two = await open(gateway.port, `/msgs-${slug(per)}`, same);
    one.write(Buffer.concat([frame(TEXT, '1'), frame(PING)]));
    await one.until(() => one.frames.length === 2, 'an echo and a pong');
    two.send(TEXT, '3');
    await two.message();
    one.send(TEXT, '4');
    expect(await one.ended()).toMatchObject({ code: 1008 });
  });

  test('bytes of all are counted together', async () => {
    using one = await open(gateway.port, `/bytes-${slug(per)}`, ALICE);
    using two = await open(gateway.port, `/bytes-${slug(per)}`, same);
    one.send(BINARY, Buffer.alloc(1000));
    await one.message();
    two.send(BINARY, Buffer.alloc(1000));
    expect(await two.ended()).toMatchObject({ code: 1008 });
  });
});

describe('per connection', () => {
  test.each([
    [
      'messages',
      'msgs-connection',
      (wire: Wire) => wire.write(Buffer.concat(Array(4).fill(frame(TEXT, 'x')))),
    ],
    ['bytes', 'bytes-connection', (wire: Wire) => wire.send(BINARY, Buffer.alloc(2000))],
    ['the size of a message', 'size', (wire: Wire) => wire.send(BINARY, Buffer.alloc(101))],
    [
      'the size of a message in fragments',
      'size',
      (wire: Wire) =>
        wire.write(
          Buffer.concat([frame(BINARY, Buffer.alloc(60), { fin: false }), frame(0, Buffer.alloc(60))]),
        ),
    ],
  ])('%s are limited, and one connection does not pay for another', async (_name, route, exceed) => {
    using other = await open(gateway.port, `/${route}`, ALICE);
    using client = await open(gateway.port, `/${route}`, ALICE);
    exceed(client);
    expect((await client.ended())?.code).toBe(route === 'size' ? 1009 : 1008);
    other.send(TEXT, 'still here');
    expect((await other.message()).toString()).toBe('still here');
  });

  test('messages up to the size pass', async () => {
    using client = await open(gateway.port, '/size', ALICE);
    client.send(BINARY, Buffer.alloc(100));
    expect((await client.message()).length).toBe(100);
  });
});

describe('throttled', () => {
  test('messages keep their order, and none is lost', async () => {
    using client = await open(gateway.port, '/slow-messages', ALICE);
    const texts = Array.from({ length: 25 }, (_, i) => `message ${i}`);
    client.write(Buffer.concat(texts.map((text) => frame(TEXT, text))));
    await client.until(() => client.frames.length === texts.length, 'every echo');
    expect(client.frames.map(({ payload }) => payload.toString())).toEqual(texts);
  });

  test('bytes keep their order, and none is lost', async () => {
    using client = await open(gateway.port, '/slow-bytes', ALICE);
    const payloads = Array.from({ length: 10 }, (_, i) => Buffer.alloc(10_000, i));
    for (const payload of payloads) client.send(BINARY, payload);
    await client.until(() => client.frames.length === payloads.length, 'every echo');
    const came = client.frames.map(({ payload }) => payload);
    // The difference of two long buffers takes long to show.
    expect(came.map((payload, i) => payload.equals(payloads[i] as Buffer))).toEqual(payloads.map(() => true));
  });

  test('a client may close while it waits', async () => {
    using client = await open(gateway.port, '/slow-messages', ALICE);
    for (let i = 0; i < 10; i++) client.send(TEXT, 'x');
    client.sendClose(1000);
    expect(await client.ended()).toMatchObject({ code: 1000 });
    const { frames } = echo.wires.at(-1) as Wire;
    expect(frames.filter(({ opcode }) => opcode === TEXT).length).toBe(10);
  });
});

describe('a place is given back', () => {
  test.each([
    ['a Close', (wire: Wire) => wire.sendClose(1000)],
    ['a FIN', (wire: Wire) => wire.socket.end()],
    ['a reset', (wire: Wire) => wire.socket.resetAndDestroy()],
    ['a broken frame', (wire: Wire) => wire.write(frame(3))],
    ['a Close of the upstream', () => echo.wires.at(-1)?.sendClose(1000)],
    ['a reset of the upstream', () => echo.wires.at(-1)?.socket.resetAndDestroy()],
  ])('after %s', async (_name, finish) => {
    await eventually(() => gateway.gateway.connections === 0);
    using first = await open(gateway.port, '/places-route', ALICE);
    using last = await open(gateway.port, '/places-route', ALICE);
    finish(last);
    await eventually(() => gateway.gateway.connections === 1);
    using _next = await open(gateway.port, '/places-route', ALICE);
    expect(first.end).toBeUndefined();
  });

  test('after a handshake that failed further on', async () => {
    await eventually(() => gateway.gateway.connections === 0);
    for (let i = 0; i < 5; i++) {
      using client = await say(gateway.port, handshake('/places-address', from('a')));
      expect((await client.answer()).status).toBe(401);
    }
    using _client = await open(gateway.port, '/places-address', ALICE);
  });
});

test('an IPv6 client is the prefix that the configuration says', async () => {
  await using wide = await startGateway(`listeners: [{ host: 127.0.0.1, port: 0 }]
limits: { ipv6Prefix: 48 }
trustedProxies: [127.0.0.1/32]
routes:
  - { name: app, match: { path: / }, auth: none, limits: { upgrades: { rate: 1/h, per: address } }, upstream: { websocket: "ws://127.0.0.1:${echo.port}" } }`);
  const statusOf = async (address: string) => {
    using client = await say(wide.port, handshake('/', { 'X-Forwarded-For': address }));
    return (await client.answer()).status;
  };
  expect(await statusOf('2001:db8:1:2::1')).toBe(101);
  expect(await statusOf('2001:db8:1:3::1')).toBe(429);
  expect(await statusOf('2001:db8:2:2::1')).toBe(101);
});
