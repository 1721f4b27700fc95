import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex, Writable } from 'node:stream';
import { GatewayError, UpstreamAnswered } from '../errors.ts';
import type { HeaderField } from '../http/request.ts';

/** What an upstream says instead of a 101, read by Node's own parser: status, and a body framed in any of HTTP's ways. */

const MAX_HEADERS_BYTES = 16 * 1024;
const MAX_BODY_BYTES = 64 * 1024;
/** What of a refusal reaches the client: nothing that could set its cookies or steer our connection. */
const RELAYED_HEADERS = ['content-type', 'www-authenticate', 'retry-after', 'cache-control', 'location'];

/**
 * Reads the answer to a request that has gone out on `socket` already; `early` is what has been read of it. Its body is
 * cut at 64 KiB, and the socket is destroyed. Never resolves: rejects with UpstreamAnswered, UPSTREAM_INVALID for what is
 * not HTTP, or UPSTREAM_LOST for a connection that ends.
 */
export function readAnswer(socket: Socket, early: Buffer): Promise<never> {
  return new Promise((_resolve, reject) => {
    const request = httpRequest({
      createConnection: () => listening(socket, early),
      maxHeaderSize: MAX_HEADERS_BYTES,
    });
    request.once('upgrade', () =>
      reject(new GatewayError('UPSTREAM_INVALID', { detail: 'a 101 that is not HTTP/1.1' })),
    );
    request.once('response', (response) => {
      relayable(response).then(
        (answer) => reject(new UpstreamAnswered(answer)),
        (cause) => reject(lost(cause)),
      );
    });
    request.on('error', (cause) => reject(lost(cause)));
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

async function relayable(response: IncomingMessage): Promise<UpstreamAnswered['answer']> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length >= MAX_BODY_BYTES) break;
  }
  const headers = RELAYED_HEADERS.flatMap((name): HeaderField[] => {
    const value = response.headers[name];
    return typeof value === 'string' ? [[name, value]] : [];
  });
  return {
    status: response.statusCode ?? 502,
    headers,
    body: Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES),
  };
}
