import { type ServerResponse, STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { type GatewayError, UpstreamAnswered } from '../errors.ts';
import { headerClass } from '../http/header-classes.ts';

/** The one way a request is refused over HTTP: a readable body, `Connection: close`, and an end the client gets to see. */

export interface RefusalOptions {
  /** Milliseconds given to the client to read the answer and close; then the socket is destroyed. */
  readonly lingerMs?: number;
}

const LINGER_MS = 2_000;

/** The listener says itself when it answers, and how long the answer is. */
function isRelayed(name: string): boolean {
  const kind = headerClass(name);
  return kind !== 'hop-by-hop' && kind !== 'framing' && name !== 'date';
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[]>;
  readonly body: Buffer;
}

/**
 * Refuses an upgrade on its raw socket and ends the TCP connection. Call it once, instead of any other write;
 * the socket needs an `error` listener already. A socket that can no longer be written to is destroyed.
 */
export function writeRefusal(socket: Duplex, error: GatewayError, options: RefusalOptions = {}): void {
  if (socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const answer = answerTo(error);
  socket.end(Buffer.concat([Buffer.from(head(answer), 'latin1'), answer.body]));
  // Bytes left unread in the kernel would turn our FIN into an RST, which can take the answer with it (RFC 9112 §9.6).
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), options.lingerMs ?? LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}

/** Refuses a plain request. A response that has begun already can only be cut off. */
export function answerRefusal(
  response: ServerResponse,
  error: GatewayError,
  options: RefusalOptions = {},
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, headers, body } = answerTo(error);
  response.writeHead(status, headers);
  response.write(body);
  // The answer is out whole; only `end` closes the socket, and must not do so over unread request bytes.
  afterBody(response.req, options.lingerMs ?? LINGER_MS, () => response.end());
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
    if (!isRelayed(key) || !isSendable(key, value)) continue;
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

function head({ status, headers }: Answer): string {
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, `date: ${new Date().toUTCString()}`];
  for (const [name, value] of Object.entries(headers)) {
    for (const one of [value].flat()) lines.push(`${name}: ${one}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** Discards the request's body and calls `done` once: when it has ended, or after `ms`. */
function afterBody(request: Readable, ms: number, done: () => void): void {
  const timer = setTimeout(finish, ms);
  function finish(): void {
    clearTimeout(timer);
    request.off('end', finish).off('close', finish);
    done();
  }
  request.once('end', finish).once('close', finish).resume();
}
