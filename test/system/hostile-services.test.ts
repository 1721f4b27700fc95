import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startGateway } from '../support/gateway.ts';
import { expected, gatewayTo, verdictOf, WAYS, type Way } from '../support/hostile-ways.ts';
import { within } from '../support/patience.ts';
import { portOf } from '../support/servers.ts';
import { listenAt } from '../support/sockets.ts';

/** What services that mean no good cost everybody else: sessions of the same gateway go on, and its memory stays small. */

const SERVER = fileURLToPath(new URL('../support/hostile.ts', import.meta.url));
const MOST_MS = Number(process.env.HOSTILE_MS ?? 500);
const MOST_BYTES = 128 * 2 ** 20;

async function startServer(): Promise<number> {
  const child = spawn(process.execPath, [SERVER, 'serve'], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = await once(child.stdout, 'data');
  return Number(String(line));
}

/** A session with a service that does no harm, which is spoken to all the time: `worst` milliseconds to an answer. */
async function startBystander() {
  const server = createServer((request, response) => request.resume().on('end', () => response.end('hello')));
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  const gateway = await startGateway(
    `routes: [{ name: honest, match: { path: / }, auth: none, upstream: { post: "http://127.0.0.1:${portOf(server)}/" } }]`,
  );
  onTestFinished(() => gateway.close());
  const client = new WebSocket(gateway.url('/'));
  await within(once(client, 'open'), 'an open WebSocket');
  let isOver = false;
  const bystander = { worst: 0 };
  async function speak(): Promise<void> {
    while (!isOver) {
      const askedAt = performance.now();
      client.send('hello');
      await within(once(client, 'message'), 'an answer', 20_000);
      bystander.worst = Math.max(bystander.worst, performance.now() - askedAt);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  const spoken = speak();
  onTestFinished(async () => {
    isOver = true;
    await spoken;
    client.terminate();
  });
  return bystander;
}

async function measure(way: Way, port: number, names: readonly string[]) {
  const gateway = await gatewayTo(port, way);
  const bystander = await startBystander();
  // What is done for the first time takes longer.
  await verdictOf(gateway, 'nothing', way);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const found: { name: string; verdict: string; hold: number; answer: number; bytes: number }[] = [];
  for (const name of names) {
    delay.reset();
    bystander.worst = 0;
    const before = process.memoryUsage().rss;
    let bytes = 0;
    const timer = setInterval(() => {
      bytes = Math.max(bytes, process.memoryUsage().rss - before);
    }, 10);
    const verdict = await verdictOf(gateway, name, way);
    clearInterval(timer);
    found.push({
      name,
      verdict,
      hold: Math.round(delay.max / 1e6),
      answer: Math.round(bystander.worst),
      bytes,
    });
  }
  return found;
}

test.for(Object.entries(WAYS))('%s', async ([title, way]) => {
  const port = await startServer();
  const names = Object.keys(way.cases);
  const found = await measure(way, port, names);
  if (process.env.HOSTILE_SHOW)
    for (const { name, verdict, hold, answer, bytes } of found)
      console.log(
        `${title} | ${name} | ${verdict} | ${hold} ms | ${answer} ms | ${Math.round(bytes / 2 ** 20)} MiB`,
      );
  const verdicts = found.map(({ name, verdict }) => [name, verdict]);
  expect(Object.fromEntries(verdicts)).toEqual(expected(way, names));
  expect(found.filter(({ answer, bytes }) => answer > MOST_MS || bytes > MOST_BYTES)).toEqual([]);
});
