import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { startDemo } from '../support/demo.ts';
import { startGuardedExample } from '../support/example.ts';
import { startFirefox } from '../support/firefox.ts';
import { freePort } from '../support/ports.ts';
import { portOf } from '../support/servers.ts';

/** Firefox on a page of an application behind a cookie, over TLS: server-sent events that break off, and a WebSocket. */

const PAGE =
  '<!doctype html><meta charset="utf-8"><title>news</title><link rel="icon" href="data:,"><h1>News</h1>';

/** Numbers its events, and ends after each second one. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  if (request.url !== '/events') {
    response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE);
    return;
  }
  const last = Number(request.headers['last-event-id'] ?? 0);
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.write(`retry: 20\nid: ${last + 1}\ndata: event ${last + 1}\n\n`);
  response.end(`id: ${last + 2}\ndata: event ${last + 2}\n\n`);
}

async function startNews() {
  const asked: { url: string | undefined; headers: IncomingHttpHeaders }[] = [];
  const keep = ({ url, headers }: IncomingMessage) => asked.push({ url, headers });
  const server = createServer(answer).on('request', keep).on('upgrade', keep);
  const webSockets = new WebSocketServer({ server });
  webSockets.on('connection', (webSocket: WebSocket) => {
    webSocket.on('error', () => {}).on('message', (data) => webSocket.send(`heard ${data}`));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const webSocket of webSockets.clients) webSocket.terminate();
    server.closeAllConnections();
    server.close();
  });
  return { port: portOf(server), asked };
}

/** Four events, of two answers; then a word by WebSocket, and what came back. */
const SCRIPT = `new Promise((resolve, reject) => {
  const heard = [document.querySelector('h1').textContent];
  const source = new EventSource('/events');
  source.onmessage = ({ data }) => {
    if (heard.push(data) < 5) return;
    source.close();
    const webSocket = new WebSocket('wss://' + location.host + '/chat');
    webSocket.onopen = () => webSocket.send('hello');
    webSocket.onmessage = ({ data }) => { heard.push(data); webSocket.close(1000, 'done'); };
    webSocket.onclose = ({ code, wasClean }) => resolve(JSON.stringify([...heard, code, wasClean]));
  };
  setTimeout(() => reject(new Error(heard.join())), 20_000);
})`;

test('a page, an event stream that is taken up again, and a WebSocket', async () => {
  const news = await startNews();
  const port = await freePort();
  const { gateway, token } = await startGuardedExample('whole-application', {
    'port: 0': `port: ${port}`,
    'https://app.example.com': `https://localhost:${port}`,
    'http://127.0.0.1:3000': `http://127.0.0.1:${news.port}`,
  });
  const firefox = await startFirefox();
  await firefox.setCookie('session', token);
  await firefox.open(`https://localhost:${port}/`);
  const heard = JSON.parse(await firefox.evaluate(SCRIPT));
  const events = [1, 2, 3, 4].map((number) => `event ${number}`);
  expect(heard).toEqual(['News', ...events, 'heard hello', 1000, true]);
  const { asked } = news;
  expect(asked.map(({ url }) => url)).toEqual(['/', '/events', '/events', '/chat']);
  expect(asked.map(({ headers }) => [headers['x-user'], headers.cookie])).toEqual(
    Array(4).fill(['alice', undefined]),
  );
  expect(await gateway.logged(({ msg }) => msg === 'session ended')).toMatchObject({
    close: 1000,
    by: 'client',
  });
});

/** Both consoles of the demo, with what has come back; then one half is finished. */
const CONSOLES = `(async () => {
  const [redis, sql] = ['redis', 'sql'].map((id) => document.getElementById(id));
  const until = async (holds) => {
    for (let tries = 0; !holds(); tries++) {
      if (tries === 400) throw new Error(redis.innerText + sql.innerText);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const stateOf = (card) => card.querySelector('.status').dataset.state;
  await until(() => stateOf(redis) === 'open' && stateOf(sql) === 'open');
  redis.querySelectorAll('.examples button')[1].click();
  sql.querySelectorAll('.examples button')[0].click();
  await until(() => redis.querySelectorAll('.log div').length > 1 && sql.querySelector('td'));
  redis.querySelector('.toggle').click();
  await until(() => stateOf(redis) === 'finished');
  const lines = [...redis.querySelectorAll('.log div')].map((line) => line.textContent);
  const cells = [...sql.querySelectorAll('td')].map((cell) => cell.textContent);
  return JSON.stringify({ lines, cells });
})()`;

test('the consoles of the demo', async () => {
  const demo = await startDemo();
  onTestFinished(async () => void (await demo.stop()));
  const firefox = await startFirefox();
  await firefox.open(demo.origin);
  expect(JSON.parse(await firefox.evaluate(CONSOLES))).toEqual({
    lines: ['redis>GET greeting', '"hello"', '↑ FIN: you have finished', '↓ FIN: the service has finished'],
    cells: ['guests', 'BASE TABLE', 'services', 'BASE TABLE'],
  });
});
