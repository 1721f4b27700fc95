import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import sockjs from 'sockjs';
import type SockJS from 'sockjs-client';
import { expect, test } from 'vitest';
import { launchTowards, openPage } from '../support/chromium.ts';
import { startGuardedExample } from '../support/example.ts';
import { within } from '../support/patience.ts';
import { serve } from './serve.ts';
import { loggedIn } from './visit.ts';

/**
 * SockJS on a page, with each of its transports, behind a cookie. The page and all it asks for come through one route:
 * its browser reaches nothing but the gateway.
 */

const HOST = 'app.example.com';
const MESSAGES = 200;
const PAGE =
  '<!doctype html><title>chat</title><link rel="icon" href="data:,"><script src="/sockjs.js"></script>';

interface Chat {
  readonly port: number;
  /** Every request it has had, handshakes too. */
  readonly requests: readonly IncomingMessage[];
}

/** A page with SockJS's client, and a server that says every message back. */
async function startChat(): Promise<Chat> {
  const script = await readFile(createRequire(import.meta.url).resolve('sockjs-client/dist/sockjs.min.js'));
  const http = createServer((request, response) => {
    const isScript = request.url === '/sockjs.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : PAGE);
  });
  const chat = sockjs.createServer({ prefix: '/sockjs', log: () => {} });
  chat.on('connection', (connection) => {
    connection.on('data', (text) => connection.write(text));
  });
  chat.installHandlers(http);
  const requests: IncomingMessage[] = [];
  for (const kind of ['request', 'upgrade']) http.on(kind, (request) => requests.push(request));
  return { port: await serve(http), requests };
}

/** What has come back, and by which transport. */
interface Said {
  readonly transport: string;
  readonly echoes: readonly string[];
}

/** Sends messages, and resolves when all have come back and the connection is closed. It runs on the page. */
function speak(Client: typeof SockJS, transport: string, count: number): Promise<Said> {
  return new Promise((resolve, reject) => {
    const socket = new Client('/sockjs', null, { transports: [transport] });
    const echoes: string[] = [];
    let used = 'none';
    socket.onopen = () => {
      used = (socket as unknown as Said).transport;
      for (let index = 0; index < count; index++) socket.send(`${index} κόσμε`);
    };
    socket.onmessage = ({ data }) => {
      echoes.push(data);
      if (echoes.length === count) socket.close();
    };
    socket.onclose = ({ code, reason }) => {
      if (code === 1000) resolve({ transport: used, echoes });
      else reject(new Error(`${code} ${reason}`));
    };
  });
}

async function startScene() {
  const chat = await startChat();
  const changes = { 'http://127.0.0.1:3000': `http://127.0.0.1:${chat.port}` };
  return { chat, ...(await startGuardedExample('sockjs', changes)) };
}

test.each(['websocket', 'xhr-streaming', 'eventsource', 'htmlfile', 'xhr-polling', 'jsonp-polling'])(
  '%s brings every message there and back, in order',
  async (transport) => {
    const { chat, gateway, token } = await startScene();
    const page = await loggedIn(await launchTowards(HOST, gateway.port), HOST, token);
    await page.goto(`https://${HOST}/`);
    const job = `(${speak})(SockJS, ${JSON.stringify(transport)}, ${MESSAGES})`;
    const said = await within(page.evaluate<Said>(job), 'the end of what is said', 20_000);
    expect(said).toEqual({
      transport,
      echoes: Array.from({ length: MESSAGES }, (_, index) => `${index} κόσμε`),
    });
    for (const { headers } of chat.requests) {
      expect(headers).toMatchObject({ 'x-user': 'alice' });
      expect(headers.cookie).toBeUndefined();
    }
  },
);

test('nobody comes in without the cookie', async () => {
  const { chat, gateway } = await startScene();
  const page = await openPage(await launchTowards(HOST, gateway.port));
  await page.goto(`https://${HOST}/`);
  expect(await page.textContent('body')).toContain('TOKEN_MISSING');
  expect(chat.requests).toEqual([]);
});
