import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openSocket } from '../../src/upstream/connect.ts';
import { startSocketHole } from '../support/processes.ts';
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
