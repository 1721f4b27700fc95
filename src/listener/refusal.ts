import { type ServerResponse, STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http';
import type { Duplex } from 'node:stream';
import { type GatewayError, UpstreamAnswered } from '../errors.ts';
import { headerClass } from '../http/header-classes.ts';
import { linger } from '../stream/linger.ts';

/** The one way a request is refused over HTTP/1.1: a readable body, `Connection: close`, and an end the client gets to see. */

/** The listener says itself when it answers, and how long the answer is. */
function isRelayed(name: string, status: number): boolean {
  // What a 426 asks for (RFC 9110 §15.5.22).
  if (name === 'upgrade') return status === 426;
  const kind = headerClass(name);
  return kind !== 'hop-by-hop' && kind !== 'framing' && name !== 'date';
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[]>;
  readonly body: Buffer;
}

/**
 * Refuses what came on a raw socket and ends the TCP connection, at the latest after `lingerMs`. Call it once, instead of
 * any other write; the socket needs an `error` listener already. A socket that can no longer be written to is destroyed.
 */
export function writeRefusal(socket: Duplex, error: GatewayError, lingerMs: number): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.write(refusalBytes(error));
  void linger(socket, lingerMs);
}

/** Refuses a plain request, with `more` fields than the error's. A response that has begun already can only be cut off. */
export function answerRefusal(
  response: ServerResponse,
  error: GatewayError,
  lingerMs: number,
  more: Readonly<Record<string, string>> = {},
): void {
  const { socket, req, headersSent } = response;
  if (headersSent) {
    response.destroy();
    return;
  }
  const plain = answerTo(error);
  const answer = { ...plain, headers: { ...plain.headers, ...more } };
  // Requests ahead of it are still being answered: Node writes this one behind them, then closes.
  if (socket === null) {
    response.writeHead(answer.status, answer.headers).end(answer.body);
    return;
  }
  // Not through the response: at its end Node destroys the socket over what is left of the request, and with it the answer.
  socket.write(bytesOf(req.method === 'HEAD' ? { ...answer, body: NOTHING } : answer));
  void linger(socket, lingerMs);
}

const NOTHING = Buffer.alloc(0);

/** A refusal as it goes over the wire, head and body. */
export function refusalBytes(error: GatewayError): Buffer {
  return bytesOf(answerTo(error));
}

function answerTo(error: GatewayError): Answer {
  return error instanceof UpstreamAnswered ? relayed(error) : own(error);
}

function own(error: GatewayError): Answer {
  const body = Buffer.from(`${error.code}: ${error.message}\n`);
  const headers: Answer['headers'] = { ...error.headers, 'content-type': 'text/plain; charset=utf-8' };
  return complete(error.status, headers, body);
}

function relayed({ answer }: UpstreamAnswered): Answer {
  const headers: Answer['headers'] = {};
  for (const [name, value] of answer.headers) {
    const key = name.toLowerCase();
    if (!isRelayed(key, answer.status) || !isSendable(key, value)) continue;
    headers[key] = key in headers ? [headers[key] as string, value].flat() : value;
  }
  return complete(answer.status, headers, answer.body);
}

/** The upstream is not trusted to keep CR and LF out of its headers. */
function isSendable(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}

function complete(status: number, headers: Answer['headers'], body: Buffer): Answer {
  // A 304 has no body, and its Content-Length would be that of another answer (RFC 9110 §8.6).
  const length: Answer['headers'] = status === 304 ? {} : { 'content-length': String(body.length) };
  // An Upgrade field must be named in Connection (RFC 9110 §7.8).
  const connection = 'upgrade' in headers ? 'close, upgrade' : 'close';
  return { status, headers: { 'cache-control': 'no-store', ...headers, ...length, connection }, body };
}

function bytesOf(answer: Answer): Buffer {
  return Buffer.concat([Buffer.from(head(answer), 'latin1'), answer.body]);
}

function head({ status, headers }: Answer): string {
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, `date: ${new Date().toUTCString()}`];
  for (const [name, value] of Object.entries(headers)) {
    for (const one of [value].flat()) lines.push(`${name}: ${one}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}
