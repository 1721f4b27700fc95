import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { type Answer, say } from './raw.ts';

/** Clients of what the gateway answers itself, and of its WebSockets. */

export type Fields = Readonly<Record<string, string>>;

/** A POST with these fields: its answer, read from the wire. */
export async function post(port: number, path: string, fields: Fields = {}, body = ''): Promise<Answer> {
  return ask(port, 'POST', path, { 'Content-Length': String(Buffer.byteLength(body)), ...fields }, body);
}

/** Any request, likewise. */
export async function ask(
  port: number,
  method: string,
  path: string,
  fields: Fields = {},
  body = '',
): Promise<Answer> {
  const lines = Object.entries({ Host: '127.0.0.1', Connection: 'close', ...fields });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  using client = await say(port, `${method} ${path} HTTP/1.1\r\n${head}\r\n${body}`);
  return await client.answer();
}

export const bearer = (token: string): Fields => ({ Authorization: `Bearer ${token}` });

/** A WebSocket that is open, or the status it got, 0 where it got none; it is gone when the test is over. */
export async function connect(url: string, headers: Fields = {}): Promise<WebSocket | number> {
  const socket = new WebSocket(url, { headers });
  socket.on('error', () => undefined);
  onTestFinished(() => socket.terminate());
  const { promise, resolve } = Promise.withResolvers<WebSocket | number>();
  socket.on('open', () => resolve(socket));
  socket.on('unexpected-response', (_, response) => {
    response.resume();
    resolve(response.statusCode ?? 0);
  });
  socket.on('close', () => resolve(0));
  return promise;
}

/** The same for one that must open. */
export async function opened(url: string, headers: Fields = {}): Promise<WebSocket> {
  const socket = await connect(url, headers);
  if (typeof socket === 'number') throw new Error(`refused with ${socket}`);
  return socket;
}

/** The code and the reason of the Close that comes. */
export async function closeOf(socket: WebSocket): Promise<[number, string]> {
  const [code, reason] = await once(socket, 'close');
  return [code, String(reason)];
}
