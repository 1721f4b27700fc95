import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Processes, reply } from '../../bench/measure/processes.ts';

let processes: Processes;
let port: number;

async function start(service: string): Promise<void> {
  const script = new URL(`../../bench/services/${service}.ts`, import.meta.url);
  port = await reply<number>(processes.script(script, []));
}

/** Asks the service, over connections that are kept. */
async function ask(path: string, body?: string, type = 'application/x') {
  const init = body === undefined ? {} : { method: 'POST', body, headers: { 'content-type': type } };
  const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
  return { type: response.headers.get('content-type'), body: await response.text() };
}

beforeEach(() => {
  processes = new Processes();
});
afterEach(() => processes.stopAll());

describe('the HTTP service', () => {
  beforeEach(() => start('http'));

  test('answers everything with 1 KiB', async () => {
    expect((await ask('/any')).body).toHaveLength(1024);
    expect((await ask('/other', 'a body')).body).toHaveLength(1024);
  });

  test('takes a request that comes in pieces', async () => {
    const socket = connect(port, '127.0.0.1').setNoDelay();
    for (const piece of ['POST / HTTP/1.1\r\nContent-Le', 'ngth: 4\r\n\r', '\nab', 'cd']) {
      await new Promise((resolve) => socket.write(piece, resolve));
    }
    let got = '';
    socket.on('data', (bytes) => {
      got += bytes;
    });
    await expect.poll(() => got).toMatch(/^HTTP\/1.1 200 /);
    socket.destroy();
  });
});

test('the service for WebSocket over HTTP says what it was told', async () => {
  await start('websocket-over-http');
  const events = 'OPEN\r\nTEXT 5\r\nhello\r\n';
  expect(await ask('/', events)).toEqual({ type: 'application/websocket-events', body: events });
});

test('the service for WebSocket over HTTP answers all messages of a request, in order', async () => {
  await start('websocket-over-http');
  const events = Array.from({ length: 5000 }, (_, at) => `TEXT 4\r\n${String(at).padStart(4, '0')}\r\n`).join(
    '',
  );
  expect((await ask('/', events)).body).toBe(events);
});

test('the service that replies says the message again, as what it came', async () => {
  await start('echo-http');
  expect(await ask('/', 'hello', 'text/a')).toEqual({ type: 'text/a', body: 'hello' });
});

describe('the service that is polled', () => {
  beforeEach(() => start('poll'));

  async function open(): Promise<string> {
    return `/sessions/${JSON.parse((await ask('/sessions', '')).body).session}`;
  }

  test('brings each session its own messages, in order', async () => {
    const [one, other] = [await open(), await open()];
    await ask(one, 'first', 'text/a');
    await ask(one, 'second', 'text/b');
    await ask(other, 'third');
    expect(await ask(one)).toEqual({ type: 'text/a', body: 'first' });
    expect(await ask(one)).toEqual({ type: 'text/b', body: 'second' });
    expect((await ask(other)).body).toBe('third');
  });

  test('holds a poll until there is a message', async () => {
    const session = await open();
    const polled = ask(session);
    await ask(session, 'late');
    expect((await polled).body).toBe('late');
  });
});

test('the source pushes 300 MiB in messages of 64 KiB', async () => {
  await start('source');
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  let [messages, bytes] = [0, 0];
  client.on('message', (data: Buffer) => {
    messages++;
    bytes += data.length;
  });
  await once(client, 'open');
  await expect.poll(() => messages, { timeout: 15_000 }).toBe(4800);
  expect(bytes).toBe(300 * 1024 * 1024);
  client.terminate();
});

test('the echo keeps what waits for one client apart from what another sends', async () => {
  await start('echo-tcp');
  const [slow, other] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  await Promise.all([once(slow, 'connect'), once(other, 'connect')]);
  const sent = Buffer.alloc(16 * 1024 * 1024, 'a');
  // More than sockets hold: once all is sent, some waits in the service, since nobody reads it here.
  await new Promise((resolve) => slow.write(sent, resolve));
  other.write('b'.repeat(64 * 1024));
  await once(other, 'data');
  const parts: Buffer[] = [];
  slow.on('data', (bytes) => parts.push(bytes));
  await expect.poll(() => Buffer.concat(parts).length, { timeout: 10_000 }).toBe(sent.length);
  expect(Buffer.concat(parts).equals(sent)).toBe(true);
  slow.destroy();
  other.destroy();
});
