import { expect, test } from 'vitest';
import { startDns } from '../support/dns.ts';
import { freshToken } from '../support/fresh.ts';
import { freePort } from '../support/ports.ts';
import { dial, handshake } from '../support/raw.ts';
import { bearer, echo, type Scene, tcpScene } from '../support/tcp-v1-scene.ts';

/** Who is refused and speaks sallyport.tcp.v1 is accepted first, and told why: scripts see no status. */

const AUTH = '{ issuer: main, token: [header, subprotocol], require: { scope: sql } }';

interface Row extends Scene {
  readonly token?: string;
  readonly protocols?: readonly string[];
  readonly failed: object;
}

test.each<[string, () => Promise<Row> | Row]>([
  [
    'nobody listens',
    async () => ({
      target: `127.0.0.1:${await freePort()}`,
      failed: { code: 1014, error: 'connection_refused', text: 'The upstream could not be reached.' },
    }),
  ],
  [
    'there is no token',
    () => ({
      auth: AUTH,
      failed: { code: 3000, error: 'http_request_denied', text: 'A token is required.' },
    }),
  ],
  [
    'the token is a subprotocol, and no good',
    () => ({
      auth: AUTH,
      protocols: ['bearer', 'no-token'],
      failed: { code: 3000, error: 'http_request_denied', text: 'The token is not valid.' },
    }),
  ],
  [
    'the token does not suffice',
    () => ({
      auth: AUTH,
      token: freshToken({ scope: 'chat' }),
      failed: { code: 3003, error: 'http_request_denied', text: 'The token does not permit this.' },
    }),
  ],
  [
    'the address has too many',
    () => ({
      route: 'limits: { upgrades: { rate: 1/h, per: route, burst: 1 } },',
      failed: {
        code: 1008,
        error: 'http_request_denied',
        text: expect.stringMatching(/ Try again in \d+ s\.$/),
      },
    }),
  ],
])('%s', async (_name, row) => {
  const { failed, token, protocols, ...scene } = await row();
  const { open, gateway } = await tcpScene(echo, scene);
  const options = { ...(token && bearer(token)), protocols };
  // Only where one is allowed it makes a difference.
  if (scene.route !== undefined) await open(options);
  const client = await open(options);
  expect(client.socket.protocol).toBe('sallyport.tcp.v1');
  expect(await client.the('FAILED')).toEqual({ type: 'FAILED', ...failed });
  expect(client.messages).toHaveLength(1);
  expect((await client.end()).code).toBe((failed as { code: number }).code);
  await gateway.logged(({ msg }) => msg === 'upgrade refused');
});

test('a name that does not exist', async () => {
  await using dns = await startDns(() => 'nxdomain');
  const options = { dnsServers: [dns.address] };
  const { open } = await tcpScene(echo, { target: 'no-such.test:5432', options });
  const client = await open();
  expect(await client.the('FAILED')).toMatchObject({ code: 1014, error: 'dns_error' });
});

test('a name that nobody answers for in time', async () => {
  await using dns = await startDns(() => 'silence');
  const options = { dnsServers: [dns.address] };
  const { open } = await tcpScene(echo, {
    target: 'slow.test:5432',
    options,
    route: 'timeouts: { handshake: 100ms },',
  });
  const client = await open();
  expect(await client.the('FAILED')).toMatchObject({ code: 1014, error: 'connection_timeout' });
});

test('where no route is found there is a status', async () => {
  const { gateway } = await tcpScene(echo);
  using wire = await dial(gateway.port);
  wire.write(handshake('/nowhere', { 'Sec-WebSocket-Protocol': 'sallyport.tcp.v1' }));
  expect((await wire.answer()).status).toBe(404);
});

test('everybody else still gets a status', async () => {
  const { gateway } = await tcpScene(echo, { auth: AUTH });
  using wire = await dial(gateway.port);
  wire.write(handshake('/tcp', { 'Sec-WebSocket-Protocol': 'binary' }));
  expect((await wire.answer()).status).toBe(401);
});
