import { Backoff, type BackoffOptions, wait } from './backoff.ts';
import { ConnectionError, describe } from './errors.ts';
import { expiryOf, type Token, tokenOf, untilRenewal } from './token.ts';
import { type OpenWebSocket, openNative, type WebSocketLike } from './wire.ts';

export interface SocketOptions {
  /** A token, or what gives one; asked for each connection. */
  readonly token?: Token;
  /** Subprotocols to offer. The token is offered besides, and never chosen. */
  readonly protocols?: readonly string[];
  readonly backoff?: BackoffOptions;
  /** Makes the WebSockets. Absent: the WebSocket that this place has. */
  readonly open?: OpenWebSocket;
}

const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3];

/**
 * A WebSocket that comes back: the API of WebSocket, with `open` for each connection, `reconnecting` when one is lost, and
 * `close` once, when none will follow: after `close()`, and after a code that says that nothing would change (1000, 1008,
 * 3000, 3003 and the like). A token that ends is replaced in time by a connection with a new one. Messages are not kept: `send` throws while it is not open.
 */
export class Socket extends EventTarget {
  static readonly CONNECTING = CONNECTING;
  static readonly OPEN = OPEN;
  static readonly CLOSING = CLOSING;
  static readonly CLOSED = CLOSED;
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEventLike) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  onreconnecting: ((event: ReconnectingEvent) => void) | null = null;
  binaryType: 'blob' | 'arraybuffer' = 'blob';
  readonly url: string;
  readonly #options: SocketOptions;
  readonly #backoff: Backoff;
  readonly #stop = new AbortController();
  #socket: WebSocketLike | undefined;
  #state = CONNECTING;
  #renewal: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string | URL, options: SocketOptions = {}) {
    super();
    this.url = String(url);
    this.#options = options;
    this.#backoff = new Backoff(options.backoff);
    void this.#connect();
  }

  get readyState(): number {
    return this.#state;
  }

  get protocol(): string {
    return this.#socket?.protocol ?? '';
  }

  get bufferedAmount(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Throws InvalidStateError while it is not open. */
  send(data: string | ArrayBufferView<ArrayBuffer>): void {
    if (this.#state !== OPEN || this.#socket === undefined)
      throw new DOMException('the connection is not open', 'InvalidStateError');
    this.#socket.send(data);
  }

  close(code = 1000, reason = ''): void {
    if (this.#state >= CLOSING) return;
    const isOpen = this.#state === OPEN;
    this.#state = CLOSING;
    this.#stop.abort();
    this.#socket?.close(code, reason);
    // Nobody is there to answer.
    if (!isOpen) queueMicrotask(() => this.#end(code, reason));
  }

  async #connect(): Promise<void> {
    const { protocols = [], open = openNative, token } = this.#options;
    let text: string | undefined;
    try {
      text = await tokenOf(token);
    } catch (error) {
      this.#end(3000, `no token: ${(error as Error).message}`.slice(0, 120));
      return;
    }
    if (this.#state >= CLOSING) return;
    const socket = open(this.url, text === undefined ? [...protocols] : [...protocols, 'bearer', text]);
    socket.binaryType = this.binaryType;
    this.#listen(socket, text);
  }

  #listen(socket: WebSocketLike, token: string | undefined): void {
    let openedAt: number | undefined;
    socket.addEventListener('open', () => {
      openedAt = Date.now();
      this.#onOpen(socket, token);
    });
    socket.addEventListener('message', ({ data }: { data: unknown }) => {
      if (socket === this.#socket) this.#emit(new MessageEvent('message', { data }));
    });
    // The close behind it says what there is to say.
    socket.addEventListener('error', () => {});
    socket.addEventListener('close', ({ code, reason }: { code: number; reason: string }) => {
      if (openedAt !== undefined && Date.now() - openedAt > STEADY_MS) this.#backoff.reset();
      // One that was replaced, or a replacement that was not made, changes nothing.
      if (socket === this.#socket || this.#socket === undefined) void this.#onLost(code, reason);
      else if (openedAt === undefined) this.#connectIn(Math.max(1_000, this.#backoff.next()));
    });
  }

  #onOpen(socket: WebSocketLike, token: string | undefined): void {
    if (this.#state >= CLOSING) {
      socket.close(1000);
      return;
    }
    const before = this.#socket;
    this.#socket = socket;
    this.#state = OPEN;
    before?.close(1000);
    this.#renewBefore(token);
    this.#emit(new Event('open'));
  }

  #renewBefore(token: string | undefined): void {
    clearTimeout(this.#renewal);
    const expiresAt = token === undefined ? undefined : expiryOf(token);
    if (expiresAt === undefined || typeof this.#options.token !== 'function') return;
    this.#connectIn(untilRenewal(expiresAt));
  }

  #connectIn(ms: number): void {
    this.#renewal = setTimeout(() => void this.#connect(), ms);
  }

  async #onLost(code: number, reason: string): Promise<void> {
    clearTimeout(this.#renewal);
    this.#socket = undefined;
    const error = new ConnectionError(code, describe(code, reason));
    if (this.#state >= CLOSING || !error.mayRetry) {
      this.#end(code, reason);
      return;
    }
    this.#state = CONNECTING;
    const delayMs = this.#backoff.next();
    this.#emit(new ReconnectingEvent(error, delayMs));
    await wait(delayMs, this.#stop.signal).catch(() => {});
    if (this.readyState < CLOSING) await this.#connect();
  }

  #end(code: number, reason: string): void {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.#stop.abort();
    clearTimeout(this.#renewal);
    if (code !== 1000) this.#emit(new Event('error'));
    this.#emit(new CloseEventLike(code, reason));
  }

  #emit(event: Event): void {
    this.dispatchEvent(event);
    const handler = this[`on${event.type}` as 'onopen'];
    handler?.call(this, event);
  }
}

/** A connection that stood for so long has gone well. */
const STEADY_MS = 5_000;

/** What CloseEvent is; not every Node has one. */
export class CloseEventLike extends Event {
  readonly code: number;
  readonly reason: string;

  constructor(code: number, reason: string) {
    super('close');
    this.code = code;
    this.reason = reason;
  }

  get wasClean(): boolean {
    return this.code !== 1006;
  }
}

/** The connection was lost, and another one is made. */
export class ReconnectingEvent extends Event {
  readonly error: ConnectionError;
  readonly delayMs: number;

  constructor(error: ConnectionError, delayMs: number) {
    super('reconnecting');
    this.error = error;
    this.delayMs = delayMs;
  }
}
