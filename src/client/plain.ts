import { decodeMessage } from '../tcp-protocol/decode.ts';
import { encodeMessage } from '../tcp-protocol/encode.ts';
import { MAX_DATA_BYTES, TCP_PROTOCOL, type TcpMessage, WINDOW_BYTES } from '../tcp-protocol/types.ts';
import { HeldWebSocket, hasWebSocketStream } from './held-web-socket.ts';
import { type OpenWebSocket, openWebSocket, type WebSocketEvent, type WebSocketLike } from './wire.ts';

/**
 * For relays that speak plain binary messages, a gateway among them: no half-close, no windows, no reasons. A file of its own, which is
 * loaded by who offers another subprotocol than sallyport.tcp.v1: nobody else can be given one.
 */

/** A page's own bytes that may wait in the browser. */
const SENDING_BYTES = 1024 * 1024;
/** What may wait here to be read, and comes only where a WebSocket cannot be held back: beyond it the connection is given up. */
const UNREAD_BYTES = 16 * 1024 * 1024;
/** The first close code that is an application's own (RFC 6455 §7.4.2): after 1000 the service would get a FIN. */
const ABORTED = 4000;

/** Makes WebSockets that speak sallyport.tcp.v1 with a connection, whatever the other side has chosen. */
export function translating(open: OpenWebSocket = openHeldWebSocket): OpenWebSocket {
  return (url, protocols) => new TranslatedWebSocket(open(url, protocols));
}

const openHeldWebSocket: OpenWebSocket = (...where) =>
  hasWebSocketStream() ? new HeldWebSocket(...where) : openWebSocket(...where);

type Listener = (event: WebSocketEvent) => unknown;

class TranslatedWebSocket implements WebSocketLike {
  readonly bufferedAmount = 0;
  readonly #socket: WebSocketLike;
  readonly #listeners: Record<string, Listener> = {};
  #isPlain = false;
  /** Bytes that the connection takes, and those that wait for it to take more. */
  #credit = WINDOW_BYTES;
  #unread: Uint8Array[] = [];
  #onRead = () => {};
  #isFinished = false;

  constructor(socket: WebSocketLike) {
    this.#socket = socket;
    socket.addEventListener('open', () => this.#onOpen());
    socket.addEventListener('message', (event) =>
      this.#isPlain ? this.#onPlain(event.data as string | ArrayBuffer) : this.#tell('message', event),
    );
    socket.addEventListener('error', (event) => this.#tell('error', event));
    socket.addEventListener('close', (event) => void this.#onClose(event));
  }

  set binaryType(type: string) {
    this.#socket.binaryType = type;
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  /** One for each type. */
  addEventListener(type: string, listener: Listener): void {
    this.#listeners[type] = listener;
  }

  send(data: ArrayBufferView<ArrayBuffer>): void {
    if (this.#isPlain) this.#onMessage(decodeMessage(data as Uint8Array));
    else this.#socket.send(data);
  }

  close(code?: number, reason?: string): void {
    this.#finish();
    this.#socket.close(code, reason);
  }

  #onOpen(): void {
    this.#isPlain = this.protocol !== TCP_PROTOCOL;
    this.#tell('open', {});
    if (!this.#isPlain) return;
    const resumeId = new Uint8Array(16);
    this.#say({ type: 'OPENED', resumeId, resumeMs: 0, expiresAt: 0, session: '', peer: '' });
  }

  /** Of the connection. */
  #onMessage(message: TcpMessage): void {
    if (message.type === 'DATA') void this.#send(message.data as Uint8Array<ArrayBuffer>);
    if (message.type === 'RESET') this.close(ABORTED, message.text.slice(0, 40));
    if (message.type === 'FIN') this.close(1000);
    if (message.type === 'WINDOW') {
      this.#credit += message.credit;
      this.#flush();
    }
  }

  async #send(data: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#socket.send(data);
    // A WebSocket does not say when they have gone.
    while (this.#socket.bufferedAmount > SENDING_BYTES && !this.#isFinished)
      await new Promise((resolve) => setTimeout(resolve, 10));
    this.#say({ type: 'WINDOW', credit: data.length });
  }

  /** Of the relay. Resolves when the connection has taken all of it. */
  #onPlain(data: string | ArrayBuffer): Promise<void> | undefined {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : new Uint8Array(data);
    if (this.#isFinished || bytes.length === 0) return undefined;
    this.#unread.push(bytes);
    this.#flush();
    if (this.#unread.reduce((sum, { length }) => sum + length, 0) > UNREAD_BYTES) this.#giveUp();
    return this.#taken();
  }

  #taken(): Promise<void> | undefined {
    if (this.#unread.length === 0) return undefined;
    return new Promise((resolve) => {
      this.#onRead = resolve;
    });
  }

  #flush(): void {
    for (let [first] = this.#unread; first && this.#credit > 0; [first] = this.#unread) {
      const data = first.subarray(0, Math.min(this.#credit, MAX_DATA_BYTES));
      this.#credit -= data.length;
      if (data.length === first.length) this.#unread.shift();
      else this.#unread[0] = first.subarray(data.length);
      this.#say({ type: 'DATA', data });
    }
    if (this.#unread.length === 0) this.#onRead();
  }

  #giveUp(): void {
    this.close(ABORTED);
    this.#say({ type: 'RESET', code: 1009, error: '', text: `more than ${UNREAD_BYTES} bytes unread` });
  }

  /** A clean end is behind all that came. */
  async #onClose(event: WebSocketEvent): Promise<void> {
    if (this.#isPlain && event.code === 1000) {
      await this.#taken();
      this.#finish();
    }
    this.#tell('close', event);
  }

  /** Both directions end at once. */
  #finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#unread = [];
    this.#onRead();
    if (this.#isPlain) this.#say({ type: 'FIN' });
  }

  #say(message: TcpMessage): void {
    this.#tell('message', { data: encodeMessage(message).buffer });
  }

  #tell(type: string, { data, code, reason, message }: Partial<WebSocketEvent>): unknown {
    return this.#listeners[type]?.({ type, data, code, reason, message });
  }
}
