import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { tree } from './proc.ts';

/** How a process is to be started. */
export interface Launch {
  command: string;
  args: readonly string[];
  /** The core to pin it to. */
  core?: number;
  /** A file for what it prints; without one, nowhere. */
  output?: string;
  /** Opens a channel for messages, for our own scripts. */
  ipc?: boolean;
  env?: NodeJS.ProcessEnv;
}

/** A process of ours. `stop` ends it and all it started, asking first; after that it does nothing. */
export interface Running {
  pid: number;
  child: ChildProcess;
  stop(): Promise<void>;
}

/** All processes the bench has started, so that none outlives it. */
export class Processes {
  readonly #running = new Set<Running>();
  readonly #pinning = hasTaskset();
  #closed = false;

  /** Starts a process, pinned where that can be, with as many descriptors as may be had. Throws once closed. */
  launch({ command, args, core, output, ipc, env }: Launch): Running {
    if (this.#closed) throw new Error('the bench is ending');
    const pin = core !== undefined && this.#pinning ? ['taskset', '-c', String(core)] : [];
    const limit = 'ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"; exec "$@"';
    const sink = output === undefined ? 'ignore' : openSync(output, 'a');
    const child = spawn('sh', ['-c', limit, 'sh', ...pin, command, ...args], {
      stdio: ['ignore', sink, sink, ipc ? 'ipc' : 'ignore'],
      env: { ...process.env, ...env },
    });
    if (typeof sink === 'number') closeSync(sink);
    return this.#register(child);
  }

  /** Starts a Node script of ours that sends messages. */
  script(file: URL, args: readonly string[], core?: number, output?: string): Running {
    const command = process.execPath;
    return this.launch({ command, args: [file.pathname, ...args], core, output, ipc: true });
  }

  /** Stops whatever still runs; nothing starts any more. */
  async stopAll(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#running].map((running) => running.stop()));
  }

  #register(child: ChildProcess): Running {
    const running = { child, pid: child.pid ?? 0, stop: () => stopped };
    let stopped: Promise<void>;
    running.stop = () => {
      stopped ??= end(child).finally(() => this.#running.delete(running));
      return stopped;
    };
    child.on('error', () => undefined);
    this.#running.add(running);
    return running;
  }
}

/** Whether util-linux's `taskset` is there, which pins processes to cores. */
export function hasTaskset(): boolean {
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Asks a process to end; after two seconds ends it, and in any case what it started. */
async function end(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (!pid || child.exitCode !== null || child.signalCode !== null) return;
  const family = tree(pid);
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await Promise.race([gone, wait(2000, undefined, { ref: false })]);
  for (const member of family) kill(member);
  await gone;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

/** The next message of a script of ours; rejects when it ends without one. */
export async function reply<Message>({ child }: Running): Promise<Message> {
  const stop = new AbortController();
  const { signal } = stop;
  const ended = once(child, 'exit', { signal }).then(([code, by]) => {
    throw new Error(`${child.spawnargs.at(-2)} ended with ${code ?? by}`);
  });
  try {
    const [message] = (await Promise.race([once(child, 'message', { signal }), ended])) as [Message];
    return message;
  } finally {
    stop.abort();
    ended.catch(() => undefined);
  }
}

/** A port that is free now, for servers that cannot say which one they took. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves once something accepts on the port; rejects, with what the process printed, if that takes 15 s or it ends. */
export async function listening(port: number, { child }: Running, output?: string): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
      throw new Error(
        `nothing listens on ${port}: ${output ? readFileSync(output, 'utf8').slice(-300) : ''}`,
      );
    }
    await wait(20);
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
