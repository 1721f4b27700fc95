import { type AttemptOptions, attempt, offered } from './attempt.ts';
import { type BackoffOptions, createBackoff, wait } from './backoff.ts';
import { asError, ConnectionError } from './errors.ts';
import { createRenewal, OVERDUE } from './renewal.ts';
import { expiryOf } from './token.ts';
import { openWebSocket, openWire, type WebSocketLike, type Wire } from './wire.ts';

export interface SocketOptions extends AttemptOptions {
  readonly backoff?: BackoffOptions;
}

/** What CloseEvent is; not every Node has one. */
export interface CloseEventLike extends Event {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/** The connection was lost, and another one is made. */
export interface ReconnectingEvent extends Event {
  readonly error: ConnectionError;
  readonly delayMs: number;
}

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

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
  readonly CONNECTING = CONNECTING;
  readonly OPEN = OPEN;
  readonly CLOSING = CLOSING;
  readonly CLOSED = CLOSED;
  declare onopen: ((event: Event) => void) | null;
  declare onmessage: ((event: MessageEvent) => void) | null;
  declare onclose: ((event: CloseEventLike) => void) | null;
  declare onerror: ((event: Event) => void) | null;
  declare onreconnecting: ((event: ReconnectingEvent) => void) | null;
  readonly url: string;
  readonly #options: SocketOptions;
  readonly #stop = new AbortController();
  readonly #renewBefore;
  #backoff;
  #binaryType: 'blob' | 'arraybuffer' = 'blob';
  #socket: WebSocketLike | undefined;
  #state: number = CONNECTING;
  #isConnecting = false;

  constructor(url: string | URL, options: SocketOptions = {}) {
    super();
    this.url = String(url);
    this.#options = options;
    this.#backoff = createBackoff(options.backoff);
    this.#renewBefore = createRenewal(options.token, () => void this.#connect());
    for (const type of ['open', 'message', 'close', 'error', 'reconnecting']) {
      const handler = `on${type}` as 'onopen';
      this[handler] = null;
      this.addEventListener(type, (event) => this[handler]?.(event));
    }
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

  get binaryType(): 'blob' | 'arraybuffer' {
    return this.#binaryType;
  }

  set binaryType(type: 'blob' | 'arraybuffer') {
    this.#binaryType = type;
    if (this.#socket) this.#socket.binaryType = type;
  }

  /** Throws InvalidStateError while it is not open. */
  send(data: string | ArrayBuffer | Blob | ArrayBufferView<ArrayBuffer>): void {
    if (this.#state !== OPEN) throw new DOMException('the connection is not open', 'InvalidStateError');
    this.#socket?.send(data as string);
  }

  close(code = 1000, reason = ''): void {
    if (this.#state >= CLOSING) return;
    this.#socket?.close(code, reason);
    this.#state = CLOSING;
    this.#renewBefore(0);
    this.#stop.abort(new ConnectionError(code, reason));
  }

  /** One at a time: one that is made to replace another takes the place of what is lost meanwhile, too. */
  async #connect(): Promise<void> {
    if (this.#isConnecting) return;
    this.#isConnecting = true;
    const { open = openWebSocket, protocols } = this.#options;
    const error = await attempt(this.#options, this.#stop.signal, async (token, signal) => {
      const all = offered(protocols, token);
      this.#onOpen(await openWire(open, this.url, all, signal, this.#binaryType), token);
    }).catch((thrown: unknown) => asError(thrown));
    this.#isConnecting = false;
    // The connection that was to be replaced still stands, and its Close is heard.
    if (this.#socket && this.#state === CLOSING) return;
    if (this.#socket && error?.mayRetry) this.#renewBefore(OVERDUE);
    else if (error) void this.#onLost(error);
  }

  #onOpen({ socket, listen }: Wire, token: string | undefined): void {
    this.#socket?.close(1000);
    this.#socket = socket;
    this.#state = OPEN;
    this.#renewBefore(expiryOf(token));
    const openedAt = Date.now();
    listen({
      onMessage: (data) => {
        if (socket === this.#socket) this.dispatchEvent(new MessageEvent('message', { data }));
      },
      onClose: (error) => {
        // It has gone well.
        if (Date.now() - openedAt > 5_000) this.#backoff = createBackoff(this.#options.backoff);
        if (socket === this.#socket) void this.#onLost(error);
      },
    });
    this.#emit('open');
  }

  async #onLost(error: ConnectionError): Promise<void> {
    this.#renewBefore(0);
    if (this.#state >= CLOSING || !error.mayRetry) {
      this.#end(error.code, error.reason);
      return;
    }
    this.#socket = undefined;
    this.#state = CONNECTING;
    const delayMs = this.#isConnecting ? 0 : this.#backoff();
    this.#emit('reconnecting', { error, delayMs });
    await wait(delayMs, this.#stop.signal);
    await this.#connect();
  }

  #end(code: number, reason: string): void {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.#stop.abort();
    if (code !== 1000) this.#emit('error');
    this.#emit('close', { code, reason, wasClean: code !== 1006 });
  }

  #emit(type: string, more?: object): void {
    this.dispatchEvent(Object.assign(new Event(type), more));
  }
}
