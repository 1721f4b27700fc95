import { ChildProcess } from 'node:child_process';
import cluster, { type Worker } from 'node:cluster';
import { EventEmitter } from 'node:events';
import { expect, onTestFinished, test, vi } from 'vitest';
import { clusterOf } from '../../src/workers/cluster.ts';

test('a worker that the system does not start has ended, and takes nobody along', async () => {
  // As Node leaves it where no more files may be open: without an end to send by.
  const worker = Object.assign(new EventEmitter(), { process: new ChildProcess(), isConnected: () => false });
  vi.spyOn(cluster, 'fork').mockReturnValue(worker as unknown as Worker);
  onTestFinished(() => void vi.restoreAllMocks());
  const { fork } = clusterOf({ env: {}, on: () => undefined });
  const started = fork?.();
  worker.emit('error', new Error('spawn EMFILE'));
  expect(await started?.exited).toEqual({ code: null, signal: null });
  started?.way.send('nobody hears this');
  started?.kill();
});
