import { ConnectionError, describe } from './errors.ts';

/** What of the WebSocket API is used here; that of browsers, of Node and of `ws` all have it. */
export interface WebSocketLike {
  binaryType: string;
  readonly protocol: string;
  readonly bufferedAmount: number;
  readonly readyState: number;
  send(data: string | ArrayBufferView<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: string, listener: (event: never) => void): void;
}

/** Makes a WebSocket. */
export type OpenWebSocket = (url: string, protocols: string[]) => WebSocketLike;

/** Hears what comes over a wire. */
export interface WireEvents {
  /** Bytes; a text as its UTF-8. */
  onMessage(bytes: Uint8Array, isText: boolean): void;
  /** It is over. */
  onClose(error: ConnectionError): void;
}

const encoder = new TextEncoder();
const OPEN = 1;

/** An open WebSocket. */
export class Wire {
  readonly #socket: WebSocketLike;
  #events: WireEvents | undefined;
  /** What came before anybody listened. */
  #early: ((events: WireEvents) => void)[] = [];

  constructor(socket: WebSocketLike) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }: { data: ArrayBuffer | string }) => {
      const isText = typeof data === 'string';
      const bytes = isText ? encoder.encode(data) : new Uint8Array(data);
      this.#tell((events) => events.onMessage(bytes, isText));
    });
    socket.addEventListener('close', ({ code, reason }: { code: number; reason: string }) => {
      this.#tell((events) => events.onClose(new ConnectionError(code, describe(code, reason))));
    });
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  /** Bytes that are to be sent still. */
  get waiting(): number {
    return this.#socket.bufferedAmount;
  }

  listen(events: WireEvents): void {
    // Whoever listens in its constructor hears nothing before that has ended.
    queueMicrotask(() => {
      this.#events = events;
      for (const tell of this.#early.splice(0)) tell(events);
    });
  }

  /** Without effect when it is not open any more: the end is told by onClose. */
  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#socket.readyState === OPEN) this.#socket.send(bytes);
  }

  close(code: number, reason = ''): void {
    // A script may say 1000 and 3000 to 4999 only.
    this.#socket.close(code === 1000 || code >= 3000 ? code : 1000, reason);
  }

  #tell(what: (events: WireEvents) => void): void {
    if (this.#events === undefined) this.#early.push(what);
    else what(this.#events);
  }
}

/** Opens a wire. Rejects with ConnectionError, or the signal's reason when it aborts. */
export function openWire(
  open: OpenWebSocket,
  url: string,
  protocols: string[],
  signal: AbortSignal,
): Promise<Wire> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const socket = open(url, protocols);
    socket.binaryType = 'arraybuffer';
    const onAbort = () => {
      reject(signal.reason);
      socket.close();
    };
    const settle = () => signal.removeEventListener('abort', onAbort);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.addEventListener('open', () => {
      settle();
      resolve(new Wire(socket));
    });
    // An error tells pages nothing; the close behind it has the code. Programs get the answer's status in its message.
    let message = '';
    socket.addEventListener('error', (event: { message?: string }) => {
      message = event.message ?? '';
    });
    socket.addEventListener('close', ({ code, reason }: { code: number; reason: string }) => {
      settle();
      reject(new ConnectionError(code, describe(code, reason || message)));
    });
  });
}

/** The WebSocket that this place has. */
export const openNative: OpenWebSocket = (url, protocols) =>
  new WebSocket(url, protocols) as unknown as WebSocketLike;
