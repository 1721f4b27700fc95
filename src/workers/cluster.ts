import type { ChildProcess } from 'node:child_process';
import cluster, { type Worker } from 'node:cluster';
import type { Exit, Processes, Way, WorkerProcess } from './processes.ts';
import { closeUnderWay } from './under-way.ts';

/** By which a worker knows that it is one of ours. */
const MARK = 'SALLYPORT_WORKER';

type Env = Record<string, string | undefined>;

/** The part of Node's `process` that a worker needs. */
interface Self {
  readonly env: Env;
  readonly send?: NodeJS.Process['send'];
  on(event: 'message', listener: (message: unknown) => void): unknown;
}

/** Processes by `node:cluster`: the primary accepts connections, and gives them to the workers in turn. */
export function clusterOf(self: Self): Processes {
  if (cluster.isPrimary) return { fork };
  if (self.env[MARK] === undefined) return {};
  // What it starts is no worker.
  delete self.env[MARK];
  return { primary: wayToPrimary(self) };
}

function wayToPrimary(self: Self): Way {
  return {
    send: (message) => void self.send?.(message, undefined, undefined, ignore),
    onMessage: (listener) => void self.on('message', listener),
    onClosed(listener) {
      cluster.worker?.on('disconnect', () => {
        // Otherwise Node ends this process on the spot, and its clients' connections with it.
        if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
        listener();
      });
    },
  };
}

function fork(): WorkerProcess {
  cluster.schedulingPolicy = cluster.SCHED_RR;
  // Bytes stay bytes, and what is infinite stays so.
  cluster.setupPrimary({ serialization: 'advanced' });
  const worker = cluster.fork({ [MARK]: '1' });
  const isStarted = worker.process.pid !== undefined;
  if (isStarted) closeUnderWay(worker.process);
  const { promise: exited, resolve } = Promise.withResolvers<Exit>();
  worker.on('exit', (code, signal) => resolve({ code, signal }));
  // It could not be started, or not be sent to: it ends, or has ended.
  worker.on('error', () => worker.process.kill('SIGKILL'));
  if (!isStarted) resolve({ code: null, signal: null });
  return {
    pid: worker.process.pid ?? 0,
    way: wayTo(worker),
    exited,
    kill: () => void worker.process.kill('SIGKILL'),
  };
}

function wayTo(worker: Worker): Way {
  return {
    send(message) {
      if (worker.isConnected()) worker.process.send(message as object, undefined, undefined, ignore);
    },
    onMessage: (listener) => void worker.process.on('message', listener),
    onClosed: (listener) => onGone(worker.process, listener),
  };
}

/** Node says no `disconnect` of a worker that ends with a connection on its way to it, but `close`; of others both. */
function onGone(worker: ChildProcess, listener: () => void): void {
  const once = () => {
    worker.off('disconnect', once).off('close', once);
    listener();
  };
  worker.on('disconnect', once).on('close', once);
}

/** Whoever it was for is gone: what is missing of it is missed by its deadline. */
function ignore(): void {}
