import { appendFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { seeded } from './seeded.ts';

/**
 * A service in a process of its own that cuts what it says: `node chaos-service.ts PORT FILE LAST DOWN UP SEED`. `GET /feed?since=N`
 * answers with some of the numbers from N+1 to LAST, `GET /stream` streams them as events behind Last-Event-ID; both hold
 * where there are none. `POST /up` appends what it was sent, with its Idempotency-Key, to FILE. Of a thousand answers DOWN and UP
 * are cut: some of their bytes are sent, or none, and the connection ends. Prints its port.
 */
const [port = '0', file = '', last = '0', down = '0', up = '0', seed = '0'] = process.argv.slice(2);
const random = seeded(Number(seed));
const MOST = 150;
const PAUSE_MS = 3;

/** What has come up, in the order it came: the same key again is the same message again. */
export interface Taken {
  readonly key: string;
  readonly body: string;
}

/** Whether an answer is cut where so many of a thousand are. */
const isCut = (rate: string) => random(1000) < Number(rate);

/** Some connections end in order, amid what they carry, others are reset. */
function cut(socket: Socket, bytes: string): void {
  const isReset = random(2) === 0;
  socket.write(bytes.slice(0, random(bytes.length)), () => {
    if (isReset) socket.resetAndDestroy();
    else socket.end();
  });
}

const chunk = (body: string) => `${body.length.toString(16)}\r\n${body}\r\n`;

/** As Node writes it where nothing is cut: with a length, or in chunks. */
function answer({ socket, method }: IncomingMessage, response: ServerResponse, body: string): void {
  const isChunked = random(2) === 0;
  const framing = isChunked ? 'transfer-encoding: chunked' : `content-length: ${body.length}`;
  const written = isChunked ? `${chunk(body)}0\r\n\r\n` : body;
  if (isCut(method === 'POST' ? up : down))
    cut(socket, `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${framing}\r\n\r\n${written}`);
  else if (isChunked) response.writeHead(200).end(body);
  else response.writeHead(200, { 'content-length': body.length }).end(body);
}

function numbersBehind(since: number): number[] {
  const count = Math.min(1 + random(MOST), Number(last) - since);
  return Array.from({ length: count }, (_, index) => since + index + 1);
}

function answerPoll(request: IncomingMessage, response: ServerResponse): void {
  const since = Number(new URL(request.url ?? '', 'http://service').searchParams.get('since'));
  const numbers = numbersBehind(since);
  const body = JSON.stringify({ next: since + numbers.length, numbers });
  // Time for a kill to come amid.
  if (numbers.length > 0) setTimeout(() => answer(request, response, body), PAUSE_MS);
}

/** A lot of events at a time; each may be the last, or be cut. */
function answerStream({ headers, socket }: IncomingMessage, response: ServerResponse): void {
  let since = Number(headers['last-event-id']);
  response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
  function sendLot(): void {
    const numbers = numbersBehind(since);
    if (numbers.length === 0 || !socket.writable) return;
    since += numbers.length;
    const events = numbers.map((one) => `id: ${one}\ndata: ${one}\n\n`).join('');
    if (isCut(down)) {
      cut(socket, chunk(events));
      return;
    }
    response.write(events);
    if (isCut(down)) response.end();
    else setTimeout(sendLot, PAUSE_MS);
  }
  sendLot();
}

/** Half of what is cut has not been taken. */
async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const taken: Taken = { key: String(request.headers['idempotency-key']), body: await text(request) };
  if (isCut(up)) {
    cut(request.socket, ' ');
    return;
  }
  appendFileSync(file, `${JSON.stringify(taken)}\n`);
  answer(request, response, '{}');
}

const server = createServer((request, response) => {
  if (request.method === 'POST') void take(request, response).catch(() => {});
  else if (request.url === '/stream') answerStream(request, response);
  else answerPoll(request, response);
});
server.on('connection', (socket) => socket.on('error', () => {}));
server.listen(Number(port), '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
