import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { folderWith, Process } from '../support/cli.ts';
import { Fifo } from '../support/fifo.ts';
import { freePort } from '../support/ports.ts';

async function echoService(): Promise<number> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => void server.close());
  server.on('connection', (socket) => socket.on('message', (message) => socket.send(String(message))));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Signals that the gateway does not know: one makes it fail where nobody catches, one makes it write to both streams. */
const [CRASH, SPEAK] = ['SIGWINCH', 'SIGCONT'] as const;
const HANDLERS = `process.on('${CRASH}',()=>{throw(Error('bug'))}).on('${SPEAK}',()=>{process.stdout.write('x');process.stderr.write('x')})`;

/** A gateway in a process of its own, with a session open. */
class Gateway {
  readonly daemon: Process;
  readonly #admin: string;
  readonly #origin: string;
  readonly #client: WebSocket;

  static async start(outputs: ConstructorParameters<typeof Process>[2]): Promise<Gateway> {
    // Nothing reads where a gateway listens from a log that nobody gets.
    const [port, adminPort] = [await freePort(), await freePort()];
    const config = `listeners: [{ host: 127.0.0.1, port: ${port} }]
admin: { port: ${adminPort} }
routes: [{ name: echo, match: { path: /echo }, auth: none, upstream: { websocket: "ws://127.0.0.1:${await echoService()}" } }]
`;
    const file = join(await folderWith({ 'gate.yaml': config }), 'gate.yaml');
    const env = { NODE_OPTIONS: `--import data:text/javascript,${HANDLERS}` };
    const daemon = new Process(['serve', file], env, outputs);
    const admin = `http://127.0.0.1:${adminPort}`;
    const isAlive = () =>
      fetch(`${admin}/livez`).then(
        ({ ok }) => ok,
        () => false,
      );
    await expect.poll(isAlive, { timeout: 15_000 }).toBe(true);
    const client = new WebSocket(`ws://127.0.0.1:${port}/echo`);
    onTestFinished(() => client.terminate());
    await once(client, 'open');
    return new Gateway(daemon, admin, `http://127.0.0.1:${port}`, client);
  }

  private constructor(daemon: Process, admin: string, origin: string, client: WebSocket) {
    this.daemon = daemon;
    this.#admin = admin;
    this.#origin = origin;
    this.#client = client;
  }

  /** Has it write `count` lines of more than 1 KiB each. */
  async log(count: number): Promise<void> {
    const url = `${this.#origin}/${'x'.repeat(1000)}`;
    for (let asked = 0; asked < count; asked += 50) {
      const answers = Array.from({ length: 50 }, async () => (await fetch(url)).text());
      await Promise.all(answers);
    }
  }

  async echo(): Promise<string> {
    const answer = once(this.#client, 'message');
    this.#client.send('still here');
    return String((await answer)[0]);
  }

  async dropped(): Promise<number> {
    const text = await (await fetch(`${this.#admin}/metrics`)).text();
    return Number(/^sallyport_log_lines_dropped_total (\d+)$/m.exec(text)?.[1]);
  }

  /** The exit code, and how long it took. */
  async end(signal: NodeJS.Signals): Promise<{ code: number | null; ms: number }> {
    const start = performance.now();
    this.daemon.signal(signal);
    const code = await this.daemon.exit;
    return { code, ms: performance.now() - start };
  }
}

function fullDisk(): number {
  const descriptor = openSync('/dev/full', 'w');
  onTestFinished(() => closeSync(descriptor));
  return descriptor;
}

/** A second for the log, and more for a busy machine. */
const IN_TIME = 4_000;

describe('a log on a full disk', () => {
  test('stops no session, is counted and told of, and leaves the exit code as it is', async () => {
    const gateway = await Gateway.start({ stdout: fullDisk() });
    await expect.poll(() => gateway.dropped()).toBeGreaterThan(0);
    await gateway.log(100);
    expect(await gateway.echo()).toBe('still here');
    await expect.poll(() => gateway.dropped()).toBeGreaterThan(100);
    const { code, ms } = await gateway.end('SIGTERM');
    expect(code).toBe(0);
    expect(ms).toBeLessThan(IN_TIME);
    const told = [...gateway.daemon.err.matchAll(/^sallyport: log lines dropped: (\d+) /gm)];
    expect(told.length).toBe(2);
    expect(told.reduce((sum, [, lines]) => sum + Number(lines), 0)).toBeGreaterThan(100);
  });

  test('may have standard error on the same disk', async () => {
    const gateway = await Gateway.start({ stdout: fullDisk(), stderr: fullDisk() });
    await expect.poll(() => gateway.dropped()).toBeGreaterThan(0);
    gateway.daemon.signal(SPEAK);
    expect(await gateway.echo()).toBe('still here');
    const { code, ms } = await gateway.end('SIGTERM');
    expect(code).toBe(0);
    expect(ms).toBeLessThan(IN_TIME);
  });

  test('does not hold up the end after a failure that nobody caught', async () => {
    const gateway = await Gateway.start({ stdout: fullDisk() });
    const { code, ms } = await gateway.end(CRASH);
    expect(code).toBe(1);
    expect(ms).toBeLessThan(IN_TIME);
  });
});

describe('a log that nobody reads', () => {
  test('stops no session, is bounded, counted and told of, and holds up the end for a second', async () => {
    const gateway = await Gateway.start({ stdout: new Fifo().writer });
    await gateway.log(1_500);
    expect(await gateway.dropped()).toBeGreaterThan(200);
    expect(await gateway.echo()).toBe('still here');
    const { code, ms } = await gateway.end('SIGTERM');
    expect(code).toBe(0);
    expect(ms).toBeLessThan(IN_TIME);
    const told = [...gateway.daemon.err.matchAll(/^sallyport: log lines dropped: (\d+) /gm)];
    // Nearly all: those that fit into the pipe cannot be known to be lost.
    expect(told.reduce((sum, [, lines]) => sum + Number(lines), 0)).toBeGreaterThan(1_400);
  });

  test('may share its pipe with standard error', async () => {
    const { writer } = new Fifo();
    const gateway = await Gateway.start({ stdout: writer, stderr: writer });
    await gateway.log(1_500);
    expect(await gateway.echo()).toBe('still here');
    const { code, ms } = await gateway.end(CRASH);
    expect(code).toBe(1);
    expect(ms).toBeLessThan(IN_TIME);
  });

  test('loses nothing when its reader comes back', async () => {
    const fifo = new Fifo();
    const gateway = await Gateway.start({ stdout: fifo.writer });
    await gateway.log(300);
    let text = '';
    await expect
      .poll(() => {
        text += fifo.read();
        return text.match(/"request refused"/g)?.length;
      })
      .toBe(300);
    expect(await gateway.dropped()).toBe(0);
    await gateway.end('SIGTERM');
    expect(fifo.read()).toMatch(/"session ended".*\n.*"stopped"\}\n$/);
  });
});

test('a log whose reader leaves stops no session', async () => {
  const fifo = new Fifo();
  const gateway = await Gateway.start({ stdout: fifo.writer });
  expect(await gateway.dropped()).toBe(0);
  fifo.closeReader();
  await gateway.log(50);
  await expect.poll(() => gateway.dropped()).toBeGreaterThan(0);
  expect(await gateway.echo()).toBe('still here');
  const { code, ms } = await gateway.end('SIGTERM');
  expect(code).toBe(0);
  expect(ms).toBeLessThan(IN_TIME);
});
