import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, globSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from './ports.ts';

/** Real servers from Debian, each on a free port of 127.0.0.1 and in a folder of its own. */
export interface RunningServer {
  readonly port: number;
  /** Of its process, if it has one. */
  readonly pid?: number | undefined;
  /** Stops it, and removes its folder. */
  close(): Promise<void>;
}

const START_MS = 15_000;
const STOP_MS = 5_000;
const LOOK_EVERY_MS = 20;
/** How many ports to try: another process may take a free one before the server does. */
const TRIES = 3;
/** Debian keeps servers out of an ordinary user's PATH. */
const DEBIAN = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
/** A folder with other servers of these names goes first, if one is given. */
const FOLDERS = [...(process.env.TEST_PROGRAMS?.split(delimiter) ?? []), ...DEBIAN];

/** Where a program is; throws a sentence that says how to get it. */
export function programPath(name: string, debianPackage: string): string {
  const path = FOLDERS.map((folder) => join(folder, name)).find(isExecutable);
  if (path === undefined) throw missing(name, debianPackage);
  return path;
}

/** Where a file of a Debian package is, by a pattern for its path; throws a sentence that says how to get it. */
export function installedFile(pattern: string, debianPackage: string): string {
  const [path] = globSync(pattern);
  if (path === undefined) throw missing(pattern, debianPackage);
  return path;
}

function missing(what: string, debianPackage: string): Error {
  return new Error(
    `this test needs ${what}: install the Debian package ${debianPackage}: apt-get install ${debianPackage}`,
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What a server is started with. */
export interface Command {
  readonly args: readonly string[];
  /** Besides what this process has in its environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** An MQTT broker that takes everybody, and queues without a limit. */
export function startMosquitto(): Promise<RunningServer> {
  const program = programPath('mosquitto', 'mosquitto');
  return startServer(program, async (folder, port) => {
    const file = join(folder, 'mosquitto.conf');
    const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'persistence false'];
    lines.push('max_queued_messages 0', 'max_queued_bytes 0');
    // It drops root's rights to a user who may not read the folder.
    if (process.getuid?.() === 0) lines.push('user root');
    await writeFile(file, `${lines.join('\n')}\n`);
    return { args: ['-c', file] };
  });
}

/** A Redis that keeps nothing on disk; on this port, where one was before. */
export function startRedis(again?: number): Promise<RunningServer> {
  const program = programPath('redis-server', 'redis-server');
  const ports = again === undefined ? freePort : async () => again;
  return startServer(program, redisCommand, START_MS, ports);

  async function redisCommand(folder: string, port: number): Promise<Command> {
    const options = { port, bind: '127.0.0.1', dir: folder, save: '', appendonly: 'no' };
    return { args: Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]) };
  }
}

/**
 * Starts a program that is to listen on the port it is told; `commandFor` may write files into its folder, where it runs.
 * Resolves once it accepts connections. Rejects with what it said if it does not, within `ms`.
 */
export async function startServer(
  program: string,
  commandFor: (folder: string, port: number) => Promise<Command>,
  ms = START_MS,
  nextPort = freePort,
): Promise<RunningServer> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-server-'));
  try {
    for (let attempt = 1; ; attempt++) {
      const port = await nextPort();
      const started = await spawnServer(program, await commandFor(folder, port), { folder, port, ms });
      if ('child' in started) return running(started.child, port, folder);
      if (attempt === TRIES) throw new Error(`${program} did not start:\n${started.output}`);
    }
  } catch (error) {
    await rm(folder, { recursive: true });
    throw error;
  }
}

function running(child: ChildProcess, port: number, folder: string): RunningServer {
  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    await stop(child);
    await rm(folder, { recursive: true });
  }
  return {
    port,
    pid: child.pid,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

type Started = { child: ChildProcess } | { output: string };

/** Resolves with the process once it accepts connections, or with what it said if it ends or dawdles. */
async function spawnServer(
  program: string,
  { args, env }: Command,
  { folder, port, ms }: { folder: string; port: number; ms: number },
): Promise<Started> {
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const keep = (chunk: Buffer) => {
    output = `${output}${chunk}`.slice(-4_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.on('error', (error) => keep(Buffer.from(String(error))));
  const deadline = performance.now() + ms;
  while (isAlive(child) && performance.now() < deadline) {
    if (await accepts(port)) return { child };
    await wait(LOOK_EVERY_MS);
  }
  await stop(child);
  return { output };
}

function isAlive(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

async function stop(child: ChildProcess): Promise<void> {
  if (!isAlive(child)) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await exited;
  clearTimeout(timer);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const answer = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}

/** Everything that was sent to a service, byte for byte, by whoever came through this tap. */
export interface Tap extends RunningServer {
  /** All bytes so far, as Latin-1. */
  heard(): string;
}

/** Listens in on what is sent to a service on 127.0.0.1, and passes it on unchanged both ways. */
export async function startTap(target: number): Promise<Tap> {
  const chunks: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = await listen(createServer({ allowHalfOpen: true }, join));

  function join(incoming: Socket): void {
    const outgoing = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    for (const [socket, other] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy()).on('close', () => sockets.delete(socket));
    }
    incoming.on('data', (chunk) => chunks.push(chunk));
    incoming.pipe(outgoing);
    outgoing.pipe(incoming);
  }

  return {
    port: portOf(server),
    heard: () => Buffer.concat(chunks).toString('latin1'),
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function listen(server: Server): Promise<Server> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** The port a server listens on. */
export function portOf(server: Pick<Server, 'address'>): number {
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new Error('the server does not listen on a port');
  return address.port;
}
