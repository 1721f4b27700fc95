import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { retryAfterMs } from '../../bridge/poll/backoff.ts';
import type { OpenWebSocket, WebSocketLike } from '../../client/index.ts';
import { connectionsThrough } from './connect-through.ts';
import { watchLiveness } from './liveness.ts';
import type { ProxyFor } from './proxy.ts';
import { againIn, codeOf } from './sentences.ts';
import type { TlsMaterial } from './tls.ts';
import { unreached } from './unreached.ts';

/** The gateway dials the service before it answers. */
const HANDSHAKE_MS = 30_000;
/** More than any message of sallyport.tcp.v1; other relays send larger ones. */
const MAX_MESSAGE = 16 * 1024 * 1024;
/** Of an answer that refuses: its first line says why. */
const MAX_REASON = 200;
const REASON_MS = 1_000;
const CLOSE_MS = 1_000;

interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** Makes the WebSockets of a command, and knows those that are open. */
export interface WebSockets {
  readonly open: OpenWebSocket;
  /** Resolves when all have closed; those that take longer than a second are cut. */
  close(): Promise<void>;
}

export interface WebSocketParts {
  /** Asked for each. */
  readonly tls: () => TlsMaterial;
  readonly proxyFor: ProxyFor;
}

/** WebSockets whose token goes into a header field. */
export function createWebSockets({ tls, proxyFor }: WebSocketParts): WebSockets {
  const sockets = new Set<WebSocket>();
  return { open, close };

  function open(url: string, offered: string[]): WebSocketLike {
    const { protocols, headers } = withoutToken(offered);
    const shown = tls();
    const gone = new AbortController();
    const proxy = proxyFor(url);
    const { protocol, host } = new URL(url);
    const socket = new WebSocket(url, protocols, {
      ...shown,
      ...(proxy && { createConnection: connectionsThrough(proxy, protocol === 'wss:', gone.signal) }),
      headers,
      handshakeTimeout: HANDSHAKE_MS,
      maxPayload: MAX_MESSAGE,
      perMessageDeflate: false,
    });
    sockets.add(socket);
    watchLiveness(socket);
    socket.on('close', () => {
      sockets.delete(socket);
      gone.abort();
    });
    return new Told(socket, (error) => unreached(error, host, shown.cert !== undefined));
  }

  async function close(): Promise<void> {
    const timer = setTimeout(() => {
      for (const socket of sockets) socket.terminate();
    }, CLOSE_MS);
    await Promise.all([...sockets].map((socket) => new Promise((done) => socket.once('close', done))));
    clearTimeout(timer);
  }
}

/** The library offers a token as the subprotocol behind `bearer`, as pages must. */
function withoutToken(offered: readonly string[]): { protocols: string[]; headers: Record<string, string> } {
  const at = offered.indexOf('bearer');
  if (at === -1) return { protocols: [...offered], headers: {} };
  const protocols = offered.filter((_, index) => index !== at && index !== at + 1);
  return { protocols, headers: { authorization: `Bearer ${offered[at + 1]}` } };
}

/** A WebSocket whose close tells why a handshake has failed: the status of the answer, or what the network says. */
class Told implements WebSocketLike {
  readonly #socket: WebSocket;
  #failure: Closed | undefined;

  constructor(socket: WebSocket, explain: (error: Error) => string) {
    this.#socket = socket;
    let isOpen = false;
    socket.once('open', () => {
      isOpen = true;
    });
    socket.on('error', (error) => {
      if (!isOpen) this.#failure ??= { code: 1006, reason: explain(error) };
    });
    socket.on('unexpected-response', (_request, response: IncomingMessage) => {
      void this.#onRefused(response);
    });
  }

  get binaryType(): string {
    return this.#socket.binaryType;
  }

  set binaryType(type: string) {
    this.#socket.binaryType = type as WebSocket['binaryType'];
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }

  get readyState(): number {
    return this.#socket.readyState;
  }

  send(data: string | ArrayBufferView<ArrayBuffer>): void {
    this.#socket.send(data);
  }

  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
  }

  addEventListener(type: string, listener: (event: never) => void): void {
    const hear = listener as (event: unknown) => void;
    this.#socket.addEventListener(type as 'close', (event) =>
      hear(type === 'close' ? (this.#failure ?? event) : event),
    );
  }

  async #onRefused(response: IncomingMessage): Promise<void> {
    const { statusCode = 0, headers } = response;
    const waitMs = retryAfterMs(headers['retry-after'], Date.now());
    const reason = `${statusCode} ${await firstLine(response)}`.trim();
    const hint = waitMs > 0 ? againIn(Math.ceil(waitMs / 1_000)) : '';
    this.#failure ??= { code: codeOf(statusCode), reason: reason + hint };
    this.#socket.terminate();
  }
}

/** What an answer says in its first line, where that is text; it has a second. */
function firstLine(response: IncomingMessage): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const timer = setTimeout(finish, REASON_MS);
    response.on('error', finish).on('close', finish);
    response.setEncoding('latin1').on('data', (more: string) => {
      text += more.slice(0, MAX_REASON);
      if (text.length >= MAX_REASON || text.includes('\n')) finish();
    });
    response.on('end', finish);

    function finish(): void {
      clearTimeout(timer);
      const [line = ''] = text.split('\n', 1);
      resolve(/^[\x20-\x7e]+$/.test(line) && !line.startsWith('<') ? line.slice(0, MAX_REASON) : '');
    }
  });
}
