import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openSocket } from '../../src/upstream/connect.ts';
import { startSocketHole } from '../support/processes.ts';
import { portOf } from '../support/servers.ts';
import { listenAt, socketPath } from '../support/sockets.ts';

/** A connection through a unix socket, and the service's end of it. */
async function connection(autoEnd: boolean): Promise<{ ours: Socket; service: Socket }> {
  const path = await socketPath();
  const server = createServer({ allowHalfOpen: true });
  await listenAt(path, server);
  const arriving = once(server, 'connection') as Promise<[Socket]>;
  const where = { host: 'localhost', port: 0, socketPath: path, autoEnd };
  const ours = await openSocket(where, AbortSignal.timeout(2_000));
  onTestFinished(() => void ours.destroy());
  const [service] = await arriving;
  return { ours, service };
}

test.each([true, false])('the end of a unix socket is answered by Node itself: %s', async (autoEnd) => {
  const { ours, service } = await connection(autoEnd);
  service.end();
  await once(ours.resume(), 'end');
  expect(ours.writableEnded).toBe(autoEnd);
});

/** As Linux tells it in /proc/net/tcp: seconds until TCP asks whether the host is there; undefined if it will not (proc(5)). */
async function secondsToProbe({ localPort = 0 }: Socket): Promise<number | undefined> {
  const port = localPort.toString(16).toUpperCase().padStart(4, '0');
  const table = await readFile('/proc/net/tcp', 'latin1');
  const [, jiffies] = new RegExp(` 0100007F:${port} .* 02:([0-9A-F]{8}) `).exec(table) ?? [];
  return jiffies === undefined ? undefined : Number.parseInt(jiffies, 16) / 100;
}

test.runIf(process.platform === 'linux').each([
  [undefined, 60],
  [15_000, 15],
  [Infinity, undefined],
])('a TCP connection with a keepalive of %s ms is asked after %s s', async (keepaliveMs, seconds) => {
  const server = createServer();
  await listenAt({ host: '127.0.0.1', port: 0 }, server);
  const where = { host: '127.0.0.1', port: portOf(server), keepaliveMs };
  const socket = await openSocket(where, AbortSignal.timeout(2_000));
  onTestFinished(() => void socket.destroy());
  const left = await secondsToProbe(socket);
  if (seconds === undefined) expect(left).toBeUndefined();
  else expect(Math.abs((left ?? 0) - seconds)).toBeLessThan(3);
});

test('a dial of a unix socket that has been given up opens nothing', async () => {
  const path = await socketPath();
  const server = await listenAt(path, createServer());
  const where = { host: 'localhost', port: 0, socketPath: path };
  await expect(openSocket(where, AbortSignal.abort())).rejects.toMatchObject({ code: 'UPSTREAM_TIMEOUT' });
  expect(server.count).toBe(0);
});

/** The queue of a socket is the kernel's: connections that are begun in one turn find it full before any is accepted. */
describe.runIf(process.platform === 'linux')('a unix socket whose queue is full', () => {
  const MANY = 20;

  async function dialAtOnce(path: string, ms: number): Promise<PromiseSettledResult<Socket>[]> {
    const where = { host: 'localhost', port: 0, socketPath: path };
    const dials = Array.from({ length: MANY }, () => openSocket(where, AbortSignal.timeout(ms)));
    const outcomes = await Promise.allSettled(dials);
    for (const outcome of outcomes) if (outcome.status === 'fulfilled') outcome.value.destroy();
    return outcomes;
  }

  test('is waited for', async () => {
    const path = await socketPath();
    await listenAt({ path, backlog: 1 }, createServer());
    const outcomes = await dialAtOnce(path, 5_000);
    expect(outcomes.map(({ status }) => status)).toEqual(Array(MANY).fill('fulfilled'));
  });

  test('is given up in time', async () => {
    const path = await socketPath();
    using _hole = await startSocketHole(path);
    const outcomes = await dialAtOnce(path, 500);
    expect(outcomes.at(-1)).toMatchObject({
      reason: { code: 'UPSTREAM_TIMEOUT', cause: { code: 'EAGAIN' } },
    });
  });
});
