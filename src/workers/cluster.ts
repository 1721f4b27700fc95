import type { ChildProcess } from 'node:child_process';
import cluster, { type Worker } from 'node:cluster';
import type { Exit, Processes, Way, WorkerProcess } from './processes.ts';
import { closeUnderWay } from './under-way.ts';

/** By which a worker knows that it is one of ours. */
const MARK = 'SALLYPORT_WORKER';

/** Messages that may wait for the other process to take them: whoever leaves more hangs, and they cost memory. */
const MOST_UNSENT = 100_000;

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
  const send = bounded((message, onSent) => void self.send?.(message, undefined, undefined, onSent));
  return {
    send: (message) => void send(message),
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
  const { way, whyEnded } = wayTo(worker);
  worker.on('exit', (code, signal) => resolve({ code, signal, why: whyEnded() }));
  // It could not be started, or not be sent to: it ends, or has ended.
  worker.on('error', () => kill(worker.process));
  if (!isStarted) resolve({ code: null, signal: null });
  return { pid: worker.process.pid ?? 0, way, exited, kill: () => kill(worker.process) };
}

/** `whyEnded` tells why the worker was killed by its way, if it was. */
function wayTo(worker: Worker): { way: Way; whyEnded: () => string | undefined } {
  let why: string | undefined;
  const send = bounded((message, onSent) => {
    worker.process.send(message as object, undefined, undefined, onSent);
  });
  const way: Way = {
    send(message) {
      if (why !== undefined || !worker.isConnected() || send(message)) return;
      why = `it hung: ${MOST_UNSENT} messages waited for it`;
      kill(worker.process);
    },
    onMessage: (listener) => void worker.process.on('message', listener),
    onClosed: (listener) => onGone(worker.process, listener),
  };
  return { way, whyEnded: () => why };
}

/**
 * Where the system has started no process, Node, until it tells so, signals whatever number the memory of its handle holds: 0, its
 * own group, and -1, all there are, among them.
 */
function kill(worker: ChildProcess): void {
  if (worker.pid !== undefined) worker.kill('SIGKILL');
}

/** Node says no `disconnect` of a worker that ends with a connection on its way to it, but `close`; of others both. */
function onGone(worker: ChildProcess, listener: () => void): void {
  const once = () => {
    worker.off('disconnect', once).off('close', once);
    listener();
  };
  worker.on('disconnect', once).on('close', once);
}

/** Sends, unless too many wait already: false. Whoever it was for may be gone: what is missing of it is missed by its deadline. */
function bounded(send: (message: unknown, onSent: () => void) => void): (message: unknown) => boolean {
  let unsent = 0;
  const onSent = () => {
    unsent -= 1;
  };
  return (message) => {
    if (unsent >= MOST_UNSENT) return false;
    unsent += 1;
    send(message, onSent);
    return true;
  };
}
