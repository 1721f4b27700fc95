import { randomBytes } from 'node:crypto';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { GatewayError, UpstreamAnswered } from '../errors.ts';
import { acceptOf } from '../frames/accept.ts';
import type { HeaderField } from '../request.ts';

/** A verified 101 of an upstream, and the socket behind it. */
export interface OpenedUpstream {
  readonly socket: Socket;
  /** Bytes that came behind the 101. */
  readonly head: Buffer;
  readonly protocol: string | undefined;
  /** The upstream's Sec-WebSocket-Extensions: permessage-deflate or nothing. */
  readonly deflate: string | undefined;
  readonly setCookies: readonly string[];
}

/** What we ask of an upstream. */
export interface Offer {
  /** Path and query. */
  readonly target: string;
  /** End-to-end fields, Host among them. */
  readonly headers: readonly HeaderField[];
  readonly protocols: readonly string[];
  readonly deflate: string | undefined;
}

const MAX_HEADERS_BYTES = 16 * 1024;
const MAX_BODY_BYTES = 64 * 1024;
/** What of a refusal reaches the client: nothing that could set its cookies or steer our connection. */
const RELAYED_HEADERS = ['content-type', 'www-authenticate', 'retry-after', 'cache-control', 'location'];
const DEFLATE_ANSWER =
  /^permessage-deflate(?:[ \t]*;[ \t]*(?:(?:server|client)_no_context_takeover|(?:server|client)_max_window_bits(?:=(?:"(?:8|9|1[0-5])"|8|9|1[0-5]))?))*$/i;

/**
 * Our own WebSocket handshake with an upstream, with a key of our own: nothing of the client goes through it but what
 * `offer` says, and nothing of the client follows before the answer is verified (RFC 6455 §4.1). Takes the socket over:
 * it is destroyed on any failure.
 *
 * Rejects with UpstreamAnswered for an answer that is no 101, UPSTREAM_INVALID for one that is none or wrong,
 * UPSTREAM_LOST for a connection that ends, UPSTREAM_TIMEOUT when `signal` aborts.
 */
export async function openWebSocket(
  socket: Socket,
  offer: Offer,
  signal: AbortSignal,
): Promise<OpenedUpstream> {
  try {
    return await shakeHands(socket, offer, signal);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function shakeHands(socket: Socket, offer: Offer, signal: AbortSignal): Promise<OpenedUpstream> {
  const key = randomBytes(16).toString('base64');
  const { promise, resolve, reject } = Promise.withResolvers<OpenedUpstream>();
  const request = send(socket, offer, key);
  const onAbort = () =>
    reject(new GatewayError('UPSTREAM_TIMEOUT', { detail: 'no answer to the handshake' }));

  request.once('upgrade', (response, _socket, head) => {
    const fault = faultOf(response, offer, key);
    if (fault === undefined) resolve(openedBy(response, socket, head));
    else reject(new GatewayError('UPSTREAM_INVALID', { detail: fault }));
  });
  request.once('response', (response) => {
    // A 101 that names no Upgrade is a plain answer to Node, and must not reach the client as one.
    if (response.statusCode === 101) {
      reject(new GatewayError('UPSTREAM_INVALID', { detail: 'a 101 without Connection: upgrade' }));
      return;
    }
    readAnswer(response).then(
      (answer) => reject(new UpstreamAnswered(answer)),
      (cause) => reject(lost(cause)),
    );
  });
  request.on('error', (cause) => reject(lost(cause)));
  signal.addEventListener('abort', onAbort, { once: true });
  return promise.finally(() => signal.removeEventListener('abort', onAbort));
}

function send(socket: Socket, offer: Offer, key: string): ClientRequest {
  const headers = [
    ...offer.headers,
    ['Connection', 'Upgrade'],
    ['Upgrade', 'websocket'],
    ['Sec-WebSocket-Version', '13'],
  ];
  headers.push(['Sec-WebSocket-Key', key]);
  if (offer.protocols.length > 0) headers.push(['Sec-WebSocket-Protocol', offer.protocols.join(', ')]);
  if (offer.deflate !== undefined) headers.push(['Sec-WebSocket-Extensions', offer.deflate]);
  const request = httpRequest({
    createConnection: () => socket,
    path: offer.target,
    headers: headers.flat() as unknown as string[],
    setHost: false,
    maxHeaderSize: MAX_HEADERS_BYTES,
  });
  request.end();
  return request;
}

/** Parser errors of Node have codes with HPE_; the rest is a connection that ended. */
function lost(cause: unknown): GatewayError {
  const code = (cause as { code?: unknown } | undefined)?.code;
  return new GatewayError(String(code).startsWith('HPE_') ? 'UPSTREAM_INVALID' : 'UPSTREAM_LOST', { cause });
}

/** What is wrong with a 101, in words; undefined if nothing is (RFC 6455 §4.1). */
function faultOf(response: IncomingMessage, offer: Offer, key: string): string | undefined {
  const { headers, statusCode } = response;
  if (statusCode !== 101) return `status ${statusCode} with an upgrade`;
  if (headers.upgrade?.toLowerCase() !== 'websocket') return 'its Upgrade is not websocket';
  const connection = headers.connection?.toLowerCase().split(/[ \t]*,[ \t]*/) ?? [];
  if (!connection.includes('upgrade')) return 'its Connection does not name upgrade';
  if (headers['sec-websocket-accept'] !== acceptOf(key))
    return 'its Sec-WebSocket-Accept does not answer our key';
  const protocol = headers['sec-websocket-protocol'];
  if (protocol !== undefined && !offer.protocols.includes(protocol))
    return 'it chose a subprotocol nobody offered';
  const extensions = headers['sec-websocket-extensions'];
  if (extensions === undefined) return undefined;
  if (offer.deflate === undefined) return 'it chose an extension nobody offered';
  return DEFLATE_ANSWER.test(extensions) ? undefined : 'its permessage-deflate answer is malformed';
}

function openedBy({ headers }: IncomingMessage, socket: Socket, head: Buffer): OpenedUpstream {
  return {
    socket,
    head,
    protocol: headers['sec-websocket-protocol'],
    deflate: headers['sec-websocket-extensions'],
    setCookies: headers['set-cookie'] ?? [],
  };
}

/** The answer that is no 101, its body cut at 64 KiB. */
async function readAnswer(response: IncomingMessage): Promise<UpstreamAnswered['answer']> {
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
