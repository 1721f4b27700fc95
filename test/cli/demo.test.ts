import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startBoard } from '../../src/cli/demo/board.ts';
import { demoCertificate } from '../../src/cli/demo/certificate.ts';
import { startChat } from '../../src/cli/demo/chat.ts';
import { startLines } from '../../src/cli/demo/lines.ts';
import type { Service } from '../../src/cli/demo/service.ts';
import { startSite } from '../../src/cli/demo/site.ts';
import { failedDemo, startDemo } from '../support/demo.ts';
import { gone } from '../support/listener.ts';

async function started(service: Promise<Service>): Promise<Service> {
  const running = await service;
  onTestFinished(() => running.close());
  return running;
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-demo-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

describe('the certificate', () => {
  test('is made once, for localhost, with a key only the owner reads', async () => {
    const path = join(await folder(), 'new');
    const first = await demoCertificate(path);
    const cert = await readFile(first.cert, 'utf8');
    expect((await stat(first.key)).mode & 0o777).toBe(0o600);
    await demoCertificate(path);
    expect(await readFile(first.cert, 'utf8')).toBe(cert);
  });

  test('is made anew before it ends, and when it is damaged', async () => {
    const path = await folder();
    const first = await demoCertificate(path);
    const cert = await readFile(first.cert, 'utf8');
    await demoCertificate(path, new Date(Date.now() + 85 * 86_400_000));
    const second = await readFile(first.cert, 'utf8');
    expect(second).not.toBe(cert);
    await writeFile(first.key, 'x');
    await demoCertificate(path);
    expect(await readFile(first.key, 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----/);
  });
});

describe('the chat', () => {
  function join(port: number, name?: string): WebSocket {
    const headers = name === undefined ? {} : { 'x-user': name };
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { headers });
    onTestFinished(() => socket.terminate());
    return socket;
  }

  test('tells everybody, newcomers too, under the name it was told', async () => {
    const { port } = await started(startChat());
    const [ada, other] = [join(port, 'ada'), join(port)];
    await Promise.all([once(ada, 'open'), once(other, 'open')]);
    ada.send('hello');
    const [heard] = await once(other, 'message');
    expect(JSON.parse(String(heard))).toMatchObject({ from: 'ada', text: 'hello' });
    const [remembered] = await once(join(port), 'message');
    expect(String(remembered)).toBe(String(heard));
  });
});

describe('the line service', () => {
  test.each([
    ['upper one two', 'ONE TWO'],
    ['reverse abc', 'cba'],
    ['count', '1 connected'],
    ['help', 'time · upper TEXT · reverse TEXT · count · quit'],
    ['what', 'unknown: what (try: help)'],
  ])('answers %s', async (line, answer) => {
    const { port } = await started(startLines());
    const socket = connect(port, '127.0.0.1');
    socket.write(`${line}\nquit\n`);
    expect(await text(socket)).toBe(`Plain TCP here. Try: help\n${answer}\nbye\n`);
  });

  test('drops a client whose line does not end', async () => {
    const { port } = await started(startLines());
    const socket = connect(port, '127.0.0.1');
    socket.write('x'.repeat(100_000));
    await gone(socket);
  });
});

describe('the board', () => {
  async function board(): Promise<string> {
    return `http://127.0.0.1:${(await started(startBoard())).port}/notes`;
  }

  function pin(notes: string, body: string): Promise<Response> {
    return fetch(notes, { method: 'POST', body, headers: { 'x-user': 'ada' } });
  }

  test('answers a held poll as soon as there is a note', async () => {
    const notes = await board();
    await pin(notes, 'one');
    const held = fetch(`${notes}?after=1&wait=20`);
    await pin(notes, 'two');
    expect(await (await held).json()).toMatchObject({
      cursor: 2,
      notes: [{ id: 2, from: 'ada', text: 'two' }],
    });
  });

  test('answers 204 when the wait is over', async () => {
    expect((await fetch(`${await board()}?after=0&wait=0`)).status).toBe(204);
  });

  test('gives every note to a cursor from before its restart', async () => {
    const notes = await board();
    await pin(notes, 'one');
    expect(await (await fetch(`${notes}?after=99&wait=0`)).json()).toMatchObject({
      cursor: 1,
      notes: [{ id: 1 }],
    });
  });

  test('refuses a note that is too long', async () => {
    expect((await pin(await board(), 'x'.repeat(5_000))).status).toBe(413);
  });
});

describe('the website', () => {
  async function site(): Promise<string> {
    const mint = async (name: string, life: number) => `${name} ${life}`;
    return `http://127.0.0.1:${(await started(startSite(mint))).port}`;
  }

  test.each([
    ['/', 'text/html; charset=utf-8'],
    ['/app.js', 'text/javascript; charset=utf-8'],
    ['/console.js', 'text/javascript; charset=utf-8'],
    ['/sallyport/client/net.js', 'text/javascript; charset=utf-8'],
    ['/style.css', 'text/css; charset=utf-8'],
    ['/stranger.html', 'text/html; charset=utf-8'],
    ['/icon.svg', 'image/svg+xml'],
  ])('serves %s', async (path, type) => {
    const response = await fetch((await site()) + path);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, type]);
  });

  test.each([
    ['?name=ada&life=3', 'ada 3\n'],
    ['', 'somebody 3600\n'],
    ['?name=%3Cb%3E&life=x', 'b 3600\n'],
    ['?life=1e9', 'somebody 86400\n'],
  ])('gives a token for %j', async (query, token) => {
    expect(await (await fetch(`${await site()}/token${query}`)).text()).toBe(token);
  });

  test('serves the client library as JavaScript, with all that it imports', async () => {
    const origin = await site();
    const met = new Set<string>();
    const meet = async (url: string): Promise<void> => {
      if (met.has(url)) return;
      met.add(url);
      const response = await fetch(url);
      expect([url, response.status]).toEqual([url, 200]);
      const text = await response.text();
      // What is no longer TypeScript is left as it is.
      expect(stripTypeScriptTypes(text)).toBe(text);
      for (const [, path = ''] of text.matchAll(/ from '(\.[^']+)'/g)) await meet(new URL(path, url).href);
    };
    await meet(`${origin}/sallyport/client/index.js`);
    expect(met.size).toBeGreaterThan(10);
  });

  test.each([
    ['/../package.json'],
    ['/sallyport/client/../main.js'],
    ['/sallyport/cli/demo.js'],
    ['/console.ts'],
  ])('has nothing at %s', async (path) => {
    expect((await fetch((await site()) + path)).status).toBe(404);
  });
});

describe('the demo', () => {
  test('gives a token that opens the chat, and stops on Ctrl-C', async () => {
    const { origin, token, stop } = await startDemo();
    const headers = { authorization: `Bearer ${token}` };
    const socket = new WebSocket(`${origin.replace('https', 'wss')}/chat`, {
      headers,
      rejectUnauthorized: false,
    });
    await once(socket, 'open');
    socket.send('hello');
    const [message] = await once(socket, 'message');
    expect(JSON.parse(String(message))).toMatchObject({ from: 'somebody', text: 'hello' });
    const closed = once(socket, 'close');
    expect(await stop()).toBe(0);
    expect((await closed)[0]).toBe(1001);
  });

  test('says what to do when its port is taken', async () => {
    const { port } = await started(startLines());
    expect(await failedDemo(port)).toEqual({
      code: 1,
      said: `sallyport: 127.0.0.1:${port} is taken: stop the program that listens there, or choose another port, e.g. npm start -- --port 9443\n`,
    });
  });
});
