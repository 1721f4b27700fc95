import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
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

/** Reads all that comes. */
const MUTE = `
const server = require('node:net').createServer((socket) => socket.on('error', () => {}).resume());
server.listen(0, () => console.log(server.address().port));`;

/** So long at most, with the keepalive that a route has unless it says otherwise: 30 s, and 10 s. */
const BY_DEFAULT_MS = 30_000;

/** A client of a service on another host. */
async function join(service: string, keepalive: string) {
  const host = await startOtherHost();
  const port = await host.run(service);
  const gateway = await startGateway(`routes:
  - { name: r, match: { path: /r }, auth: none, upstream: { tcp: "${host.address}:${port}" } ${keepalive} }`);
  onTestFinished(() => gateway.close());
  const client = new WebSocket(gateway.url('/r'));
  onTestFinished(() => client.terminate());
  await once(client, 'open');
  return { host, gateway, client };
}

/** The service's host vanishes while it is trickled to; resolves with how long the session outlived it, and its end. */
async function vanish(keepalive: string, withinMs: number) {
  const { host, gateway, client } = await join(ECHO, keepalive);
  const timer = setInterval(() => client.readyState === WebSocket.OPEN && client.send(PIECE), TRICKLE_MS);
  onTestFinished(() => clearInterval(timer));
  let isThere = false;
  client.on('message', () => {
    isThere = true;
  });
  await eventually(() => isThere, 'something of the service');
  await host.vanish();
  const vanishedAt = Date.now();
  const line = await gateway.logged(({ msg }) => msg === 'session ended', withinMs);
  return { line, afterMs: Date.parse(line.time as string) - vanishedAt };
}

const LOST = { close: 1014, error: 'UPSTREAM_TIMEOUT', by: 'upstream' };

test('a TCP service whose host vanishes while it is written to is noticed after `every` and `within`', async () => {
  const keepalive = `, keepalive: { every: ${EVERY_MS}ms, within: ${WITHIN_MS}ms }`;
  const { line, afterMs } = await vanish(keepalive, EVERY_MS + WITHIN_MS + SLACK_MS);
  expect(line).toMatchObject(LOST);
  expect(afterMs).toBeGreaterThanOrEqual(WITHIN_MS);
});

test('without a word of it in the route, in half a minute', async () => {
  const { line, afterMs } = await vanish('', BY_DEFAULT_MS + SLACK_MS);
  expect(line).toMatchObject(LOST);
  expect(afterMs).toBeLessThanOrEqual(BY_DEFAULT_MS);
});

test('one that is there again before its time is over has not vanished, though it says nothing', async () => {
  const { host, client } = await join(MUTE, ', keepalive: { every: 2s, within: 3s }');
  await sleep(3_300);
  await host.vanish();
  client.send(PIECE);
  // It is looked at after five seconds, and has three.
  await sleep(2_200);
  await host.reappear();
  await sleep(3_500);
  expect(client.readyState).toBe(WebSocket.OPEN);
});

const PROBES_MS = 10_000;

test('one that nothing is written to is noticed by TCP itself, as soon as `upstream.keepalive` says', async () => {
  const host = await startOtherHost();
  const port = await host.run(ECHO);
  await using gateway = await startGateway(`routes:
  - name: r
    match: { path: /r }
    auth: none
    keepalive: off
    timeouts: { lifetime: 1h }
    upstream: { tcp: "${host.address}:${port}", keepalive: 1s }`);
  const client = new WebSocket(gateway.url('/r'));
  onTestFinished(() => client.terminate());
  await once(client, 'open');
  await host.vanish();
  const line = await gateway.logged(({ msg }) => msg === 'session ended', PROBES_MS + 1_000 + SLACK_MS);
  expect(line).toMatchObject({ close: 1014, error: 'UPSTREAM_LOST', by: 'upstream' });
});
