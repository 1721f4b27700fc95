import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { startGateway } from '../support/gateway.ts';
import { http2Peer } from '../support/http2-target.ts';
import { eventually, within } from '../support/patience.ts';
import { handshake } from '../support/raw.ts';
import { portOf } from '../support/servers.ts';
import { listenAt } from '../support/sockets.ts';

/** Hundreds of sessions with an HTTP service: what each costs, and what the service sees of them. MANY_SHOW=1 shows the figures. */

const GATEWAY = fileURLToPath(new URL('../support/alone.ts', import.meta.url));
const COUNT = 500;
/** As many: what it takes to begin so many at once is not theirs. */
const WARM_UP = COUNT;
/** Heap and buffers: there are sockets besides, and what V8 and the C library keep for later. */
const MOST_BYTES = 24_000;
const LONG_MS = 30_000;

/** Bytes in use, and those of the whole process, which depend on what the C library keeps for later as well. */
interface Held {
  readonly held: number;
  readonly rss: number;
}

/** Clients whose handshake is done. */
async function connectMany(port: number, count: number): Promise<Socket[]> {
  return Promise.all(Array.from({ length: count }, () => connectOne(port)));
}

async function connectOne(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  socket.write(handshake('/'));
  const [answer] = await within(once(socket, 'data'), 'the 101', LONG_MS);
  if (!String(answer).startsWith('HTTP/1.1 101')) throw new Error(String(answer));
  return socket;
}

async function startChild(upstream: string): Promise<{ port: number; held(): Promise<Held> }> {
  const text = `routes: [{ name: many, match: { path: / }, auth: none, upstream: { ${upstream} } }]`;
  // What is freed goes back to the system, so that what is left is what sessions cost.
  const env = { ...process.env, MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' };
  const stdio = ['pipe', 'pipe', 'inherit'] as const;
  const child = spawn(process.execPath, ['--expose-gc', '--max-semi-space-size=1', GATEWAY, text], {
    env,
    stdio: [...stdio],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const answers = createInterface(child.stdout)[Symbol.asyncIterator]();
  const answer = async () => JSON.parse((await within(answers.next(), 'an answer', LONG_MS)).value);
  return {
    port: await answer(),
    held() {
      child.stdin.write('held?\n');
      return answer();
    },
  };
}

/** Bytes that each of 500 more sessions costs once its poll is held: `polls` are those that are. */
async function costOfEach(upstream: string, polls: () => number): Promise<Held> {
  const { port, held } = await startChild(upstream);
  await connectMany(port, WARM_UP);
  await eventually(
    () => polls() === WARM_UP,
    () => `${polls()} of the first polls`,
    LONG_MS,
  );
  const before = await held();
  await connectMany(port, COUNT);
  await eventually(
    () => polls() === WARM_UP + COUNT,
    () => `${polls()} polls`,
    LONG_MS,
  );
  const after = await held();
  const each = {
    held: Math.round((after.held - before.held) / COUNT),
    rss: Math.round((after.rss - before.rss) / COUNT),
  };
  if (process.env.MANY_SHOW) console.log(expect.getState().currentTestName, each);
  return each;
}

test('an idle session over HTTP/1.1 takes 24 KB of heap at most, and one socket', async () => {
  let polls = 0;
  let sockets = 0;
  const server = createServer(() => void polls++);
  server.on('connection', () => sockets++);
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  const target = `http://127.0.0.1:${portOf(server)}`;
  const each = await costOfEach(`poll: { target: "${target}", poll: { path: /poll } }`, () => polls);
  expect(each.held).toBeLessThan(MOST_BYTES);
  expect(sockets).toBe(WARM_UP + COUNT);
});

test('an idle session over HTTP/2 takes 24 KB of heap at most, and all share a few sockets', async () => {
  const { asked, sessions, url } = await http2Peer(() => {});
  const target = url.replace('localhost', '127.0.0.1');
  const upstream = `tls: { verify: off }, poll: { target: "${target}", http2: auto, poll: { path: /poll } }`;
  const each = await costOfEach(upstream, () => asked.length);
  if (process.env.MANY_SHOW) console.log(sessions.size, 'connections');
  expect(each.held).toBeLessThan(MOST_BYTES);
  expect(sessions.size).toBeLessThanOrEqual(8);
});

test('500 clients that vanish at once: each is told of, sixteen at a time at most', async () => {
  const told = new Set<string>();
  let polls = 0;
  let active = 0;
  let most = 0;
  async function answerGoodbye(name: string, response: ServerResponse): Promise<void> {
    most = Math.max(most, ++active);
    await new Promise((resolve) => setTimeout(resolve, 10));
    active--;
    told.add(name);
    response.writeHead(204).end();
  }
  const server = createServer((request, response) => {
    if (request.url === '/poll') polls++;
    else void answerGoodbye(String(request.headers['x-connection-id']), response);
  });
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  const target = `http://127.0.0.1:${portOf(server)}`;
  const poll = `{ target: "${target}", poll: { path: /poll }, close: { path: /leave } }`;
  await using gateway = await startGateway(
    `routes: [{ name: many, match: { path: / }, auth: none, upstream: { poll: ${poll} } }]`,
  );
  const clients = await connectMany(gateway.port, COUNT);
  await eventually(() => polls === COUNT, 'all polls', LONG_MS);
  for (const client of clients) client.resetAndDestroy();
  await eventually(
    () => told.size === COUNT,
    () => `${told.size} goodbyes`,
    LONG_MS,
  );
  if (process.env.MANY_SHOW) console.log(most, 'goodbyes at a time');
  expect(most).toBeLessThanOrEqual(16);
});
