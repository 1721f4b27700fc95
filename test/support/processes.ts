import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { within } from './patience.ts';

/** Peers in processes of their own, to be killed or to hang. */

/** Many start at once. */
const START_MS = 20_000;

export interface Relay {
  readonly port: number;
  /** SIGKILL: the kernel closes what the process had open. */
  kill(): void;
}

const RELAY = `
const net = require('node:net');
const target = Number(process.argv[1]);
const open = { host: '127.0.0.1', allowHalfOpen: true };
net.createServer(open, (near) => {
  const far = net.connect({ ...open, port: target });
  near.on('error', () => far.destroy()).pipe(far);
  far.on('error', () => near.destroy()).pipe(near);
}).listen(0, open.host, function () { console.log(this.address().port); });`;

/** A process between two others: who kills it has killed, for each of them, the other. */
export async function startRelay(target: number): Promise<Relay> {
  const { child, line } = await start(RELAY, [target]);
  return { port: Number(line), kill: () => child.kill('SIGKILL') };
}

const HOLE = `
const [path] = process.argv.slice(1);
const place = path ? { path } : { port: 0, host: '127.0.0.1' };
const server = require('node:net').createServer().listen({ ...place, backlog: 1 }, () => {
  require('node:fs').writeSync(1, server.address().port + '\\n');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});`;

export interface Hole extends Disposable {
  readonly port: number;
}

/** A port on which connecting neither succeeds nor fails: its process accepts nothing, and its queue is full. */
export async function startHole(): Promise<Hole> {
  const { child, line } = await start(HOLE, []);
  const port = Number(line);
  const fillers: Socket[] = [];
  let connected = true;
  while (connected) {
    const filler = connect(port, '127.0.0.1').on('error', () => {});
    fillers.push(filler);
    connected = await once(filler, 'connect', { signal: AbortSignal.timeout(300) }).then(
      () => true,
      () => false,
    );
  }
  return {
    port,
    [Symbol.dispose]() {
      for (const filler of fillers) filler.destroy();
      child.kill('SIGKILL');
    },
  };
}

/** A process that listens at a unix socket, and accepts nothing. */
export async function startSocketHole(path: string): Promise<Disposable> {
  const { child } = await start(HOLE, [path]);
  return { [Symbol.dispose]: () => void child.kill('SIGKILL') };
}

const PEER = `
const { WebSocket, WebSocketServer } = require('ws');
const [url, manner] = process.argv.slice(1);
function trickle(webSocket) {
  webSocket.on('error', () => {});
  if (manner !== 'trickle') return;
  const timer = setInterval(() => webSocket.send('x'), 50);
  webSocket.on('close', () => clearInterval(timer));
}
if (url === '') {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 }).on('connection', trickle);
  server.on('listening', () => console.log(server.address().port));
} else {
  const webSocket = new WebSocket(url).on('open', () => {
    trickle(webSocket);
    console.log('open');
  });
}`;

export interface WebSocketProcess extends Disposable {
  /** Where it serves. */
  readonly port: number;
  /** SIGSTOP: its kernel goes on, and it does not know. */
  stop(): void;
}

/** A peer of `ws` in a process of its own: opens a WebSocket, or serves where it is given no URL; sends nothing, or a little all the time. */
export async function startWebSocketProcess(url: string, manner: string): Promise<WebSocketProcess> {
  const { child, line } = await start(PEER, [url, manner]);
  return {
    port: Number(line),
    stop: () => child.kill('SIGSTOP'),
    [Symbol.dispose]: () => child.kill('SIGKILL'),
  };
}

const TARGET = `
const { WebSocketServer } = require('ws');
const [host, port] = process.argv.slice(1);
const server = new WebSocketServer({ host, port: Number(port) });
server.on('connection', (webSocket) => webSocket.on('error', () => {}).send(host));
server.on('listening', () => console.log(server.address().port));`;

/** A target of a pool: its first message is its address. */
export interface TargetProcess {
  readonly port: number;
  /** SIGSTOP: its kernel goes on to accept connections, which hear nothing. */
  stop(): void;
  /** SIGKILL, also of one that is stopped. Resolves when its port is free. */
  kill(): Promise<void>;
}

/** A server of `ws` in a process of its own, at an address of its own such as 127.0.0.2. `port` is 0 for any. */
export async function startTarget(host: string, port: number): Promise<TargetProcess> {
  const { child, line } = await start(TARGET, [host, port]);
  const exited = once(child, 'exit');
  return {
    port: Number(line),
    stop: () => child.kill('SIGSTOP'),
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

async function start(
  script: string,
  args: readonly (number | string)[],
): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(process.execPath, ['-e', script, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said = once(child.stdout as NodeJS.ReadableStream, 'data') as Promise<[Buffer]>;
  const [line] = await within(said, 'the port of a process', START_MS);
  return { child, line: line.toString() };
}
