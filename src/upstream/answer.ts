import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex, Writable } from 'node:stream';
import { GatewayError } from '../errors.ts';
import { RelayedAnswer } from '../http/relayed-answer.ts';
import { type AnswerFields, pairsOf } from './answer-fields.ts';
import type { Concealment } from './concealment.ts';

/** What an upstream says instead of a 101, read by Node's own parser: status, and a body framed in any of HTTP's ways. */

const MAX_HEADERS_BYTES = 16 * 1024;
const MAX_BODY_BYTES = 64 * 1024;
/** A body that goes on for longer, or for ever, is cut: the client is waiting. */
const BODY_MS = 1_000;

/** How long to read, and what goes on of the answer's fields. */
export interface Reading {
  readonly signal: AbortSignal;
  readonly answerFields: AnswerFields;
  readonly concealment?: Concealment | undefined;
}

/**
 * Reads the answer to a request that has gone out on `socket` already; `early` is what has been read of it. Of its
 * body counts what has come a second after its head, or when `signal` aborts, and at most 64 KiB. The caller destroys
 * the socket. Never resolves: rejects with RelayedAnswer for a refusal (3xx to 5xx), UPSTREAM_INVALID for any
 * other status and for what is not HTTP, or UPSTREAM_LOST for a connection that ends.
 */
export function readAnswer(socket: Socket, early: Buffer, reading: Reading): Promise<never> {
  return new Promise((_resolve, reject) => {
    const request = httpRequest({
      createConnection: () => listening(socket, early),
      maxHeaderSize: MAX_HEADERS_BYTES,
    });
    let isAnswered = false;
    request.once('upgrade', () =>
      reject(new GatewayError('UPSTREAM_INVALID', { detail: 'a 101 that is not HTTP/1.1' })),
    );
    request.once('response', (response) => {
      isAnswered = true;
      refusalOf(response, reading).then(
        (error) => reject(error),
        (cause) => reject(lost(cause)),
      );
    });
    // Once there is an answer it says itself whether it is whole: what ends with its connection makes Node's client complain of that.
    request.on('error', (cause) => {
      if (!isAnswered) reject(lost(cause));
    });
    request.end();
  });
}

/** The connection as Node's client is to see it: what it writes is dropped, for the request has been sent. */
function listening(socket: Socket, early: Buffer): Duplex {
  async function* answer() {
    yield early;
    yield* socket;
  }
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  // Node's client takes its own `error` listener away again, and it ends with an error when the socket is destroyed.
  return Duplex.from({ readable: answer(), writable: nowhere }).on('error', () => {});
}

/** A failure of the connection to an upstream; parser errors of Node have codes with HPE_. An error of ours stays what it is. */
export function lost(cause: unknown): GatewayError {
  if (cause instanceof GatewayError) return cause;
  const code = (cause as { code?: unknown } | undefined)?.code;
  return new GatewayError(String(code).startsWith('HPE_') ? 'UPSTREAM_INVALID' : 'UPSTREAM_LOST', { cause });
}

/**
 * A handshake is refused by 3xx to 5xx (RFC 6455 §4.1). A page in its place, an empty success, or a number that is no
 * status is nonsense.
 */
async function refusalOf(
  response: IncomingMessage,
  { signal, answerFields, concealment }: Reading,
): Promise<GatewayError> {
  const { statusCode: status = 0 } = response;
  // When the socket is destroyed, this is what an unfinished answer tells.
  response.on('error', () => {});
  if (status < 300 || status > 599)
    return new GatewayError('UPSTREAM_INVALID', { detail: `it answered ${status}`, isAnswer: true });
  const read = await bodyOf(response, signal);
  const body = concealment?.body(read, response.headers) ?? read;
  const headers = pairsOf(answerFields(response.rawHeaders, status));
  // Nothing is no gzip file.
  const told = body === read ? headers : headers.filter(([name]) => !/^content-encoding$/i.test(name));
  return new RelayedAnswer({ status, headers: told, body });
}

/** Rejects only if the body is cut by the upstream itself. */
function bodyOf(response: IncomingMessage, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const timer = setTimeout(finish, BODY_MS);
    signal.addEventListener('abort', finish, { once: true });
    function onData(chunk: Buffer): void {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= MAX_BODY_BYTES) finish();
    }
    function finish(): void {
      leave();
      response.pause();
      resolve(Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES));
    }
    function leave(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      response.off('data', onData).off('end', finish).off('error', onError);
    }
    function onError(error: Error): void {
      leave();
      reject(error);
    }
    response.on('data', onData).on('end', finish).on('error', onError);
  });
}
