import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { BLOCK, FIRST, freePort } from './ports.ts';

async function listen(port: number): Promise<void> {
  const server = createServer().listen(port, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
}

test.runIf(process.platform === 'linux')('a free port is none that the kernel gives away', async () => {
  const text = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
  const [first = 0, last = 0] = text.split(/\s+/).map(Number);
  const port = await freePort();
  expect(port >= first && port <= last).toBe(false);
});

test('a free port is one to listen on, and none is given twice', async () => {
  const ports = await Promise.all(Array.from({ length: 100 }, freePort));
  expect(new Set(ports).size).toBe(100);
  for (const port of ports) await listen(port);
});

test('a port that somebody listens on is passed over', async () => {
  let port = await freePort();
  // The last two of a block are followed by those of another.
  while ((port - FIRST) % BLOCK > BLOCK - 3) port = await freePort();
  await listen(port + 1);
  expect(await freePort()).toBe(port + 2);
});
