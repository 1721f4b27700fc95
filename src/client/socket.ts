import { type BackoffOptions, createBackoff, wait } from './backoff.ts';
import { asError, type ConnectionError } from './errors.ts';
import { credentials, expiryOf, type Token, tokenOf, untilRenewal } from './token.ts';
import { type OpenWebSocket, openWire, type Wire } from './wire.ts';

export interface SocketOptions {
  /** A token, or what gives one; asked for each connection. */
  readonly token?: Token;
  /** Subprotocols to offer. The token is offered besides, and never chosen. */
  readonly protocols?: readonly string[];
  readonly backoff?: BackoffOptions;
  /** Makes the WebSockets. Absent: the WebSocket that this place has. */
  readonly open?: OpenWebSocket;
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
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEventLike) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  onreconnecting: ((event: ReconnectingEvent) => void) | null = null;
  binaryType: 'blob' | 'arraybuffer' = 'blob';
  readonly url: string;
  readonly #options: SocketOptions;
  #backoff;
  readonly #stop = new AbortController();
  #wire: Wire | undefined;
  #state: number = CONNECTING;
  #renewal: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string | URL, options: SocketOptions = {}) {
    super();
    this.url = String(url);
    this.#options = options;
    this.#backoff = createBackoff(options.backoff);
    void this.#connect();
  }

  get readyState(): number {
    return this.#state;
  }

  get protocol(): string {
    return this.#wire?.socket.protocol ?? '';
  }

  get bufferedAmount(): number {
    return this.#wire?.socket.bufferedAmount ?? 0;
  }

  /** Throws InvalidStateError while it is not open. */
  send(data: string | ArrayBufferView<ArrayBuffer>): void {
    if (this.#state !== OPEN) throw new DOMException('the connection is not open', 'InvalidStateError');
    this.#wire?.socket.send(data);
  }

  close(code = 1000, reason = ''): void {
    if (this.#state >= CLOSING) return;
    this.#wire?.socket.close(code, reason);
    this.#state = CLOSING;
    this.#stop.abort();
    // Nobody is there to answer.
    if (this.#wire === undefined) queueMicrotask(() => this.#end(code, reason));
  }

  async #connect(): Promise<void> {
    const { protocols = [], open, token } = this.#options;
    try {
      const text = await tokenOf(token);
      const { signal } = this.#stop;
      const wire = await openWire(
        this.url,
        [...protocols, ...credentials(text)],
        signal,
        open,
        this.binaryType,
      );
      this.#onOpen(wire, text);
    } catch (thrown) {
      if (this.#state >= CLOSING) return;
      const error = asError(thrown);
      // The connection that it was to replace still stands.
      if (this.#wire && error.mayRetry) this.#connectIn(1_000 + this.#backoff());
      else void this.#onLost(error);
    }
  }

  #onOpen(wire: Wire, token: string | undefined): void {
    if (this.#state >= CLOSING) return;
    const before = this.#wire;
    this.#wire = wire;
    this.#state = OPEN;
    before?.close();
    const expiresAt = expiryOf(token);
    if (expiresAt > 0 && typeof this.#options.token === 'function') this.#connectIn(untilRenewal(expiresAt));
    this.#emit('open');
    const openedAt = Date.now();
    wire.listen({
      onMessage: (data) => {
        if (wire === this.#wire) this.#dispatch(new MessageEvent('message', { data }));
      },
      onClose: (error) => {
        // It has gone well.
        if (Date.now() - openedAt > 5_000) this.#backoff = createBackoff(this.#options.backoff);
        if (wire === this.#wire) void this.#onLost(error);
      },
    });
  }

  #connectIn(ms: number): void {
    clearTimeout(this.#renewal);
    this.#renewal = setTimeout(() => void this.#connect(), ms);
  }

  async #onLost(error: ConnectionError): Promise<void> {
    clearTimeout(this.#renewal);
    if (this.#state >= CLOSING || !error.mayRetry) {
      this.#end(error.code, error.message);
      return;
    }
    this.#wire = undefined;
    this.#state = CONNECTING;
    const delayMs = this.#backoff();
    this.#emit('reconnecting', { error, delayMs });
    await wait(delayMs, this.#stop.signal);
    if (this.readyState < CLOSING) await this.#connect();
  }

  #end(code: number, reason: string): void {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    this.#stop.abort();
    clearTimeout(this.#renewal);
    this.#wire?.close();
    if (code !== 1000) this.#emit('error');
    this.#emit('close', { code, reason, wasClean: code !== 1006 });
  }

  #emit(type: string, more?: object): void {
    this.#dispatch(Object.assign(new Event(type), more));
  }

  #dispatch(event: Event): void {
    this.dispatchEvent(event);
    this[`on${event.type}` as 'onopen']?.(event);
  }
}
