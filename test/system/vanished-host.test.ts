import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startGateway } from '../support/gateway.ts';
import { startOtherHost } from '../support/other-host.ts';
import { eventually } from '../support/patience.ts';

/** A TCP service whose host is gone says nothing, as a quiet one does; but it does not confirm what it is sent either. */

const EVERY_MS = 1_000;
const WITHIN_MS = 1_000;
const SLACK_MS = 3_000;
const TRICKLE_MS = 50;
const PIECE = Buffer.alloc(100);

/** Reads all that comes, and sends every piece back. */
const ECHO = `
const server = require('node:net').createServer((socket) => socket.on('error', () => {}).pipe(socket));
server.listen(0, () => console.log(server.address().port));`;

test('a TCP service whose host vanishes while it is written to is noticed after `every` and `within`', async () => {
  const host = await startOtherHost();
  const port = await host.run(ECHO);
  await using gateway = await startGateway(`routes:
  - name: r
    match: { path: /r }
    auth: none
    keepalive: { every: ${EVERY_MS}ms, within: ${WITHIN_MS}ms }
    upstream: { tcp: "${host.address}:${port}" }`);
  const client = new WebSocket(gateway.url('/r'));
  onTestFinished(() => client.terminate());
  await once(client, 'open');
  let echoed = 0;
  client.on('message', () => echoed++);
  const timer = setInterval(() => client.readyState === WebSocket.OPEN && client.send(PIECE), TRICKLE_MS);
  onTestFinished(() => clearInterval(timer));
  await eventually(() => echoed > 5, 'an echo');
  await host.vanish();
  const vanishedAt = Date.now();
  const line = await gateway.logged(({ msg }) => msg === 'session ended', EVERY_MS + WITHIN_MS + SLACK_MS);
  expect(line).toMatchObject({ close: 1014, error: 'UPSTREAM_TIMEOUT', by: 'upstream' });
  expect(Date.parse(line.time as string) - vanishedAt).toBeGreaterThanOrEqual(WITHIN_MS);
});
