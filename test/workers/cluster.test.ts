import { ChildProcess } from 'node:child_process';
import cluster, { type Worker } from 'node:cluster';
import { EventEmitter } from 'node:events';
import { expect, onTestFinished, test, vi } from 'vitest';
import { clusterOf } from '../../src/workers/cluster.ts';

test('a worker that the system does not start has ended, and takes nobody along', async () => {
  // As Node leaves it where no more files may be open: without an end to send by.
  const worker = Object.assign(new EventEmitter(), { process: new ChildProcess(), isConnected: () => false });
  const kill = vi.spyOn(worker.process, 'kill').mockReturnValue(false);
  vi.spyOn(cluster, 'fork').mockReturnValue(worker as unknown as Worker);
  onTestFinished(() => void vi.restoreAllMocks());
  const { fork } = clusterOf({ env: {}, on: () => undefined });
  const started = fork?.();
  worker.emit('error', new Error('spawn EMFILE'));
  expect(await started?.exited).toEqual({ code: null, signal: null });
  started?.way.send('nobody hears this');
  started?.kill();
  // Its number would be anybody's.
  expect(kill).not.toHaveBeenCalled();
});

test('a worker that takes none of its messages is killed, and why is told', async () => {
  const worker = Object.assign(new EventEmitter(), { process: new ChildProcess(), isConnected: () => true });
  const send = vi.fn<(...args: unknown[]) => boolean>(() => true);
  const kill = vi.fn(() => true);
  Object.assign(worker.process, { pid: 1, send, kill });
  vi.spyOn(cluster, 'fork').mockReturnValue(worker as unknown as Worker);
  onTestFinished(() => void vi.restoreAllMocks());
  const started = clusterOf({ env: {}, on: () => undefined }).fork?.();
  for (let index = 0; index < 100_000; index++) started?.way.send('a word');
  expect(kill).not.toHaveBeenCalled();
  // One is taken: there is room for one.
  const [, , , onSent] = send.mock.calls[0] as unknown[];
  (onSent as () => void)();
  started?.way.send('a word');
  expect(kill).not.toHaveBeenCalled();
  started?.way.send('one too many');
  started?.way.send('another');
  expect(kill.mock.calls).toEqual([['SIGKILL']]);
  worker.emit('exit', null, 'SIGKILL');
  expect(await started?.exited).toEqual({
    code: null,
    signal: 'SIGKILL',
    why: 'it hung: 100000 messages waited for it',
  });
});
