import { expect, test } from 'vitest';
import { eventually } from '../support/census.ts';
import { deadPort, startUpstream } from '../support/faulty.ts';
import { startGateway } from '../support/gateway.ts';
import { handshake, open, say, switching, type Wire } from '../support/raw.ts';

/** A place is taken before the dial, and given back if nothing comes of it: an outage must not fill the route for good. */

const MAX = 2;

/** Upstreams that fail, and what the client is told; `undefined`: it has left. */
const FAILURES: readonly [string, number | undefined, (upstream: Wire, client: Wire) => void][] = [
  ['hangs up', 502, (upstream) => upstream.socket.end()],
  ['resets', 502, (upstream) => upstream.socket.resetAndDestroy()],
  ['answers nothing sensible', 502, (upstream) => upstream.write('nonsense\r\n\r\n')],
  ['refuses', 403, (upstream) => upstream.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')],
  ['says nothing', 504, () => {}],
  ['is still being asked when the client leaves', undefined, (_, client) => client.socket.resetAndDestroy()],
];

test.each(FAILURES)('is given back where the upstream %s', async (_name, status, fail) => {
  await using upstream = await startUpstream();
  await using gateway = await startGateway(`routes:
  - name: app
    match: { path: / }
    auth: none
    limits: { connections: { max: ${MAX}, per: route } }
    timeouts: { handshake: ${status === 504 ? '500ms' : '1m'} }
    upstream: { websocket: "ws://127.0.0.1:${upstream.port}" }`);

  for (let i = 0; i <= MAX; i++) {
    using client = await say(gateway.port, handshake('/'));
    const asked = await upstream.wire(i);
    await asked.until(() => asked.head !== undefined, 'a handshake');
    fail(asked, client);
    if (status !== undefined) expect((await client.answer()).status).toBe(status);
    await eventually(() => gateway.log.filter(({ msg }) => msg === 'upgrade refused').length === i + 1);
  }

  const opening = open(gateway.port, '/');
  const asked = await upstream.wire(MAX + 1);
  await asked.until(() => asked.head !== undefined, 'a handshake');
  asked.write(switching(asked.head ?? ''));
  using client = await opening;
  expect(client.end).toBeUndefined();
});

test('is given back where nobody listens', async () => {
  const port = await deadPort();
  await using gateway = await startGateway(`routes:
  - name: app
    match: { path: / }
    auth: none
    limits: { connections: { max: ${MAX}, per: route } }
    upstream: { tcp: "127.0.0.1:${port}" }`);
  for (let i = 0; i < 2 * MAX; i++) {
    using client = await say(gateway.port, handshake('/'));
    expect((await client.answer()).status).toBe(502);
  }
});
