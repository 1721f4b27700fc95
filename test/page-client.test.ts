import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type WebSocket as ServiceSocket, WebSocketServer } from 'ws';
import { ERROR_CODES, GatewayError } from '../src/errors.ts';
import { startGateway, type TestGateway } from './support/gateway.ts';
import { within } from './support/patience.ts';
import { ISSUER, mint, SECRET, signingKey } from './support/tokens.ts';

/** The client of config/guide/pages.md, "A client in a page", as it stands there, with a gateway and a service behind it. */

interface PageClient {
  readonly FINAL: ReadonlySet<number>;
  stayConnected(
    url: string,
    callbacks: {
      fetchToken(): Promise<{ access_token: string; expires_in: number }>;
      onOpen?(socket: WebSocket): void;
      onMessage(data: string): void;
      onEnd(code: number): void;
    },
  ): void;
}

const guide = readFileSync(new URL('../config/guide/pages.md', import.meta.url), 'utf8');
const snippet = guide.split('```js\n')[1]?.split('```')[0] ?? '';
const { FINAL, stayConnected } = (await import(
  `data:text/javascript,${encodeURIComponent(`${snippet}\nexport { FINAL, stayConnected };`)}`
)) as PageClient;

const key = signingKey('HS256');
const good = () => mint(key);
const expired = () => mint(key, { exp: 1 });

let service: WebSocketServer;
let gateway: TestGateway;

beforeAll(async () => {
  service = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  service.on('connection', (socket) => socket.send('hello'));
  await once(service, 'listening');
  gateway = await startGateway(
    `
issuers:
  main: { issuer: "${ISSUER}", audience: realtime, algorithms: [HS256], secret: "\${SECRET}" }
routes:
  - name: live
    match: { path: /live }
    auth: { issuer: main, token: [subprotocol] }
    refuse: close
    upstream: { websocket: "ws://127.0.0.1:${(service.address() as AddressInfo).port}" }
`,
    { SECRET },
  );
});
afterAll(async () => {
  await gateway.close();
  service.close();
});

/** Runs the client with a token from `tokens` each time it asks, the last one again and again. */
function startClient(
  tokens: readonly (() => string)[],
  expires_in = 3600,
  onOpen?: (socket: WebSocket) => void,
) {
  const ended = Promise.withResolvers<number>();
  const told: string[] = [];
  let fetched = 0;
  stayConnected(gateway.url('/live'), {
    async fetchToken() {
      const mintToken = tokens[Math.min(fetched++, tokens.length - 1)] as () => string;
      return { access_token: mintToken(), expires_in };
    },
    ...(onOpen && { onOpen }),
    onMessage: (data) => told.push(data),
    onEnd: ended.resolve,
  });
  return { told, fetched: () => fetched, ended: () => within(ended.promise, 'the end of the client') };
}

/** The next connection that the service gets. */
async function nextConnection(): Promise<ServiceSocket> {
  const [socket] = (await within(once(service, 'connection'), 'a connection')) as [ServiceSocket];
  return socket;
}

test.each([1001, 1012, 1013])('comes back after %i with the token it has', async (code) => {
  const client = startClient([good]);
  (await nextConnection()).close(code);
  const again = await nextConnection();
  again.close(1000);
  expect(await client.ended()).toBe(1000);
  expect(client.told).toEqual(['hello', 'hello']);
  expect(client.fetched()).toBe(1);
});

test('lets a page speak first, on each new connection', async () => {
  const client = startClient([good], 3600, (socket) => socket.send('first'));
  for (const code of [1012, 1000]) {
    const socket = await nextConnection();
    const [said] = await within(once(socket, 'message'), 'the first word of the page');
    expect(String(said)).toBe('first');
    socket.close(code);
  }
  expect(await client.ended()).toBe(1000);
});

test('fetches a new token when the one it has is refused', async () => {
  const client = startClient([expired, good]);
  (await nextConnection()).close(1000);
  expect(await client.ended()).toBe(1000);
  expect(client.fetched()).toBe(2);
});

test('asks for a new token once only', async () => {
  const client = startClient([expired]);
  expect(await client.ended()).toBe(3000);
  expect(client.fetched()).toBe(2);
});

test('does not come back after 1008', async () => {
  const client = startClient([good]);
  (await nextConnection()).close(1008);
  expect(await client.ended()).toBe(1008);
  expect(client.fetched()).toBe(1);
});

test('brings a new token before the old one ends', async () => {
  const client = startClient([good], 1);
  await nextConnection();
  (await nextConnection()).close(1000);
  expect(await client.ended()).toBe(1000);
  expect(client.fetched()).toBe(2);
});

test('knows every close code of the gateway', () => {
  const codes = new Set(ERROR_CODES.map((code) => new GatewayError(code).close));
  const again = [...codes].filter((code) => !FINAL.has(code)).sort();
  expect(again, 'what config/guide/pages.md says of 1001, 1011 to 1014 and 3000').toEqual([
    1001, 1011, 1012, 1013, 1014, 3000,
  ]);
});
