import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEcho, type Upstream } from '../support/faulty.ts';
import { startGateway } from '../support/gateway.ts';
import { handshake, open, say, type Wire } from '../support/raw.ts';
import { ISSUER, mint, SECRET, signingKey } from '../support/tokens.ts';

/** Strangers, who have no good token, try to use up what honest clients share. */

const HS = signingKey('HS256');
const EXP = Math.floor(Date.now() / 1000) + 3600;
const PAGE = 'https://app.example.com';

const HONEST = 200;
/** Attempts of the strangers for each honest handshake. */
const ATTEMPTS = 3;
/** What one address may try in an hour. */
const PER_ADDRESS = 10;

let echo: Upstream;
let silent: Server;

beforeAll(async () => {
  echo = await startEcho();
  silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
});
afterAll(async () => {
  silent.closeAllConnections();
  silent.close();
  await echo.close();
});

/** A gateway that believes 127.0.0.1 whom it speaks for, so that one machine can be many clients. */
function start(limits: string, port: number, rest = '') {
  return startGateway(
    `listeners: [{ host: 127.0.0.1, port: 0 }]
admin: { port: 0 }
drain: 1s
trustedProxies: [127.0.0.1/32]
issuers:
  main: { issuer: "${ISSUER}", audience: realtime, algorithms: [HS256], secret: "\${SECRET}" }
routes:
  - name: app
    match: { path: /app }
    origins: ["https://*.example.com"]
    auth: { issuer: main }
    limits: { ${limits} }
    ${rest}
    upstream: { http: "http://127.0.0.1:${port}" }`,
    { SECRET },
  );
}

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const honest = (index: number) => ({
  Origin: PAGE,
  'X-Forwarded-For': `198.51.100.${index}`,
  ...bearer(mint(HS, { exp: EXP, sub: `user ${index}` })),
});

function plain(method: string, fields: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ Host: '127.0.0.1', ...fields }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return `${method} /app HTTP/1.1\r\n${lines.join('')}\r\n`;
}

const forged = bearer(mint(signingKey('HS256', 'another secret of sixty-four bytes or more'), { exp: EXP }));
/** All that can be tried without a token, from a page that is let in. */
const TRIES = [
  (fields: Record<string, string>) => handshake('/app', { ...fields, ...forged }),
  (fields: Record<string, string>) => handshake('/app', fields),
  (fields: Record<string, string>) => plain('GET', { ...fields, ...forged }),
  (fields: Record<string, string>) => plain('OPTIONS', { ...fields, 'Access-Control-Request-Method': 'PUT' }),
];

/** One attempt of a stranger; the status it gets. */
async function attempt(port: number, index: number, address: string): Promise<number> {
  const sent = (TRIES[index % TRIES.length] as (typeof TRIES)[number])({
    Origin: `https://${index}.example.com`,
    'X-Forwarded-For': address,
  });
  using wire = await say(port, sent);
  return (await wire.answer()).status;
}

describe.each([
  ['origin', 1],
  ['origin', 50],
  ['route', 1],
  ['route', 50],
])('limits per %s against strangers with %i addresses', (per, addresses) => {
  test(`let all ${HONEST} honest clients in, and the strangers try ${PER_ADDRESS} times each`, async () => {
    await using gateway = await start(
      `upgrades: [{ rate: ${PER_ADDRESS}/h, per: address }, { rate: ${HONEST}/h, per: ${per} }], connections: { max: ${HONEST}, per: ${per} }`,
      echo.port,
      'cors: answer',
    );
    const statuses = new Map<string, number[]>();
    const inside: Wire[] = [];
    for (let client = 0; client < HONEST; client++) {
      for (let i = client * ATTEMPTS; i < (client + 1) * ATTEMPTS; i++) {
        const address = `203.0.113.${i % addresses}`;
        const seen = statuses.get(address) ?? [];
        statuses.set(address, seen);
        seen.push(await attempt(gateway.port, i, address));
      }
      inside.push(await open(gateway.port, '/app', honest(client)));
    }
    expect(inside.map(({ end }) => end)).toEqual(Array(HONEST).fill(undefined));
    expect(statuses.size).toBe(addresses);
    for (const seen of statuses.values()) {
      const early = seen.slice(0, PER_ADDRESS);
      expect(early.every((status) => status === 401 || status === 204)).toBe(true);
      expect(seen.slice(PER_ADDRESS).every((status) => status === 429)).toBe(true);
      expect(seen.length).toBeGreaterThan(PER_ADDRESS);
    }
    const refused = HONEST * ATTEMPTS - addresses * PER_ADDRESS;
    const series = (by: string) =>
      `sallyport_limited_total{route="app",limit="upgrades",per="${by}",outcome="refused"}`;
    const text = await gateway.metrics();
    expect(text).toContain(`${series('address')} ${refused}\n`);
    expect(text).toContain(`${series(per)} 0\n`);
    for (const wire of inside) wire.socket.destroy();
  });
});

test('preflights that hang at the service take no place of honest requests', async () => {
  const { port } = silent.address() as AddressInfo;
  await using gateway = await start('requests: { max: 3, perClient: 2 }', port);
  const hanging: Wire[] = [];
  const send = async (bytes: string) => {
    const asked = once(silent, 'request');
    hanging.push(await say(gateway.port, bytes));
    await asked;
  };
  for (let i = 0; i < 6; i++) {
    await send(
      plain('OPTIONS', {
        Origin: PAGE,
        'X-Forwarded-For': `203.0.113.${i % 3}`,
        'Access-Control-Request-Method': 'PUT',
      }),
    );
  }
  expect(await attempt(gateway.port, 3, '203.0.113.1')).toBe(429);
  for (let i = 0; i < 3; i++) await send(plain('GET', honest(i)));
  using full = await say(gateway.port, plain('GET', honest(4)));
  expect((await full.answer()).body).toBe('ROUTE_FULL: Too many requests at a time per route.\n');
  for (const wire of hanging) wire.socket.destroy();
});
