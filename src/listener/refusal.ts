import { type ServerResponse, STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http';
import type { Duplex } from 'node:stream';
import type { GatewayError } from '../errors.ts';
import { headerClass } from '../http/header-classes.ts';
import { RelayedAnswer } from '../http/relayed-answer.ts';
import type { HeaderField } from '../http/request.ts';
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
  readonly fields: readonly HeaderField[];
  /** Its bytes, in Latin-1. */
  readonly body: string;
}

/**
 * Refuses what came on a raw socket, with `more` fields than the error's, and ends the TCP connection, at the latest after
 * `lingerMs`. Call it once, instead of any other write; the socket needs an `error` listener already. A socket that can no longer
 * be written to is destroyed.
 */
export function writeRefusal(
  socket: Duplex,
  error: GatewayError,
  lingerMs: number,
  more: Readonly<Record<string, string>> = {},
): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.write(textOf(withMore(answerTo(error), more)), 'latin1');
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
  const answer = withMore(answerTo(error), more);
  // Requests ahead of it are still being answered: Node writes this one behind them, then closes.
  if (socket === null) {
    response.writeHead(answer.status, answer.fields.flat()).end(answer.body, 'latin1');
    return;
  }
  // Not through the response: at its end Node destroys the socket over what is left of the request, and with it the answer.
  socket.write(textOf(req.method === 'HEAD' ? { ...answer, body: '' } : answer), 'latin1');
  void linger(socket, lingerMs);
}

/** A refusal as it goes over the wire, head and body. */
export function refusalBytes(error: GatewayError): Buffer {
  return Buffer.from(textOf(answerTo(error)), 'latin1');
}

/** `more` in the place of what the answer says by the same names. */
function withMore({ fields, ...answer }: Answer, more: Readonly<Record<string, string>>): Answer {
  const kept = fields.filter(([name]) => !Object.hasOwn(more, name.toLowerCase()));
  return { ...answer, fields: [...kept, ...Object.entries(more)] };
}

function answerTo(error: GatewayError): Answer {
  return error instanceof RelayedAnswer ? relayed(error) : own(error);
}

function own(error: GatewayError): Answer {
  // ASCII throughout: what is written is one text and one write, for refusals come in floods.
  const { json } = error;
  const body = json === undefined ? `${error.code}: ${error.message}\n` : `${JSON.stringify(json)}\n`;
  const type: HeaderField = ['content-type', json ? 'application/json' : 'text/plain; charset=utf-8'];
  const fields = Object.entries(error.headers).filter(([name, value]) => isSendable(name, value));
  return complete(error.status, [...fields, type], body);
}

function relayed({ answer }: RelayedAnswer): Answer {
  const { status, headers, body } = answer;
  const fields = headers.filter(
    ([name, value]) => isRelayed(name.toLowerCase(), status) && isSendable(name, value),
  );
  return complete(status, fields, body.toString('latin1'));
}

/** Neither the upstream nor a program's hook is trusted to keep CR and LF out of its headers. */
function isSendable(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}

function complete(status: number, given: readonly HeaderField[], body: string): Answer {
  const names = new Set(given.map(([name]) => name.toLowerCase()));
  const fields: HeaderField[] = names.has('cache-control') ? [] : [['cache-control', 'no-store']];
  fields.push(...given);
  // A 304 has no body, and its Content-Length would be that of another answer (RFC 9110 §8.6).
  if (status !== 304) fields.push(['content-length', String(body.length)]);
  // An Upgrade field must be named in Connection (RFC 9110 §7.8).
  fields.push(['connection', names.has('upgrade') ? 'close, upgrade' : 'close']);
  return { status, fields, body };
}

function textOf({ status, fields, body }: Answer): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ndate: ${new Date().toUTCString()}\r\n`;
  for (const [name, value] of fields) text += `${name}: ${value}\r\n`;
  return `${text}\r\n${body}`;
}
