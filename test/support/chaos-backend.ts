import { appendFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { decodeEvents, encodeEvents } from '../../src/bridge/poll/websocket-over-http/events.ts';
import { cutAnswers } from './cut-answers.ts';
import { seeded } from './seeded.ts';

/**
 * A service of many protocols in a process of its own: `node chaos-backend.ts PORT FILE PROTOCOL LAST CUTS SEED`. It appends what it is
 * sent to FILE. Those that are polled send each of their sessions the numbers from 1 to LAST, and know none of them any more
 * when they are started anew; those that are posted to answer with the number in the message. Of a thousand answers CUTS are
 * cut. Prints its port.
 */
const [port = '0', file = '', protocol = '', last = '0', cuts = '0', seed = '0'] = process.argv.slice(2);
const random = seeded(Number(seed));
const PAUSE_MS = 4;
const MOST = 10;

/** What has come up. */
export interface Said {
  readonly body: string;
  /** Of its request. */
  readonly key?: string | undefined;
}

function keep(said: Said): void {
  appendFileSync(file, `${JSON.stringify(said)}\n`);
}

/** Calls `send` with some numbers, again and again, until it was all of them. */
function feed(send: (numbers: string[]) => void): void {
  let sent = 0;
  const timer = setInterval(function sendSome() {
    const count = Math.min(1 + random(MOST), Number(last) - sent);
    send(Array.from({ length: count }, (_, index) => String(sent + index + 1)));
    sent += count;
    if (sent === Number(last)) clearInterval(timer);
  }, PAUSE_MS);
}

type Handler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

const server = createServer();

function serve(handler: Handler): void {
  server.on('request', (request, response) => {
    buffer(request).then(
      (body) => handler(request, response, body),
      () => {},
    );
  });
}

/** What waits for the polls of one session. */
class Mailbox {
  #waiting: string[] = [];
  #poll: ((texts: string[]) => void) | undefined;

  put(texts: readonly string[]): void {
    this.#waiting.push(...texts);
    this.#settle();
  }

  /** What was handed out is gone. */
  take(poll: (texts: string[]) => void): void {
    this.#poll = poll;
    this.#settle();
  }

  #settle(): void {
    if (this.#poll === undefined || this.#waiting.length === 0) return;
    this.#poll(this.#waiting.splice(0));
    this.#poll = undefined;
  }
}

/** Boxes by the names of sessions. */
const boxes = new Map<string, Mailbox>();

function open(name: string): void {
  const box = new Mailbox();
  boxes.set(name, box);
  feed((numbers) => box.put(numbers));
}

const PROTOCOLS: Readonly<Record<string, () => unknown>> = {
  async 'engine.io'() {
    // The others begin anew sooner without it.
    const { Server: SocketIo } = await import('socket.io');
    const io = new SocketIo(server, { transports: ['polling'] });
    io.on('connection', (socket) => {
      socket.on('up', (body) => keep({ body }));
      feed((numbers) => {
        for (const number of numbers) socket.emit('number', number);
      });
    });
  },

  sockjs: () =>
    serve(({ url = '' }, response, body) => {
      const [, name = '', what] = /([^/]+)\/(xhr|xhr_send)$/.exec(url) ?? [];
      const box = boxes.get(name);
      if (what === 'xhr' && box === undefined) {
        open(name);
        response.end('o\n');
      } else if (what === 'xhr') box?.take((texts) => response.end(`a${JSON.stringify(texts)}\n`));
      else if (box === undefined) response.writeHead(404).end();
      else {
        for (const one of JSON.parse(String(body))) keep({ body: one });
        response.writeHead(204).end();
      }
    }),

  bayeux: () =>
    serve((_, response, body) => {
      const [message] = JSON.parse(String(body));
      const { channel, id, clientId = crypto.randomUUID() } = message;
      const end = (reply: object, texts: readonly string[] = []) =>
        response.end(
          JSON.stringify([
            { channel, id, clientId, ...reply },
            ...texts.map((data) => ({ channel: '/numbers', data })),
          ]),
        );
      if (channel === '/meta/handshake') {
        open(clientId);
        return end({ successful: true });
      }
      const box = boxes.get(clientId);
      if (box === undefined) return end({ successful: false, advice: { reconnect: 'handshake' } });
      if (channel === '/meta/connect') return box.take((texts) => end({ successful: true }, texts));
      for (const one of JSON.parse(String(body))) if (one.channel === '/up') keep({ body: one.data });
      end({ successful: true });
    }),

  'websocket-over-http': () =>
    serve(({ headers }, response, body) => {
      const said = decodeEvents(body).map((event) => {
        if (event.type !== 'TEXT') return event;
        const number = take(headers, String(event.content));
        return { type: 'TEXT', content: Buffer.from(number) };
      });
      const told = said.filter(({ type }) => type !== 'DISCONNECT');
      response.writeHead(200, { 'content-type': 'application/websocket-events' }).end(encodeEvents(told));
    }),

  generic: () => serve(({ headers }, response, body) => answer(headers, response, String(body))),

  cloudevents: () =>
    serve(({ headers }, response, body) => {
      if (headers['ce-type'] === 'azure.webpubsub.user.message') answer(headers, response, String(body));
      else response.end();
    }),

  aws: () =>
    serve(({ headers }, response, body) => {
      const event = JSON.parse(String(body));
      const wrap = (one: string) => JSON.stringify({ statusCode: 200, body: one });
      if (event.requestContext.eventType === 'MESSAGE') answer(headers, response, event.body, wrap);
      else response.end(wrap(''));
    }),
};

/** Keeps a message, which is `number` or `session:number`; returns the number. */
function take(headers: IncomingMessage['headers'], body: string): string {
  keep({ body, key: String(headers['idempotency-key']) });
  return body.slice(body.indexOf(':') + 1);
}

function answer(
  headers: IncomingMessage['headers'],
  response: ServerResponse,
  body: string,
  wrap = (one: string) => one,
): void {
  response.setHeader('content-type', 'text/plain').end(wrap(take(headers, body)));
}

await PROTOCOLS[protocol]?.();
cutAnswers(server, Number(cuts), random);
server.listen(Number(port), '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
