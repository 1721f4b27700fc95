import { ConnectionError } from './errors.ts';

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
  /** A text, or bytes as `binaryType` says. */
  onMessage(data: unknown): void;
  /** It is over. */
  onClose(error: ConnectionError): void;
}

/** Of a CloseEvent. */
interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** An open WebSocket. */
export class Wire {
  readonly socket: WebSocketLike;
  #events: WireEvents | undefined;
  /** What came before anybody listened. */
  #early: ((events: WireEvents) => void)[] = [];

  constructor(socket: WebSocketLike) {
    this.socket = socket;
    socket.addEventListener('message', ({ data }: { data: unknown }) =>
      this.#tell((events) => events.onMessage(data)),
    );
    socket.addEventListener('close', ({ code, reason }: Closed) =>
      this.#tell((events) => events.onClose(new ConnectionError(code, reason))),
    );
  }

  listen(events: WireEvents): void {
    this.#events = events;
    for (const tell of this.#early.splice(0)) tell(events);
  }

  /** Without effect when it is not open any more: the end is told by onClose. */
  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.socket.readyState === 1) this.socket.send(bytes);
  }

  close(code = 1000, reason = ''): void {
    // A script may say 1000 and 3000 to 4999 only.
    this.socket.close(code < 3000 ? 1000 : code, reason.slice(0, 40));
  }

  #tell(what: (events: WireEvents) => void): void {
    if (this.#events === undefined) this.#early.push(what);
    else what(this.#events);
  }
}

/** What a wire is opened with. */
export interface WireOptions {
  readonly url: string;
  readonly protocols: string[];
  readonly signal: AbortSignal;
  /** Absent: the WebSocket that this place has. */
  readonly open: OpenWebSocket | undefined;
  readonly binaryType?: string;
}

/** Opens a wire. Rejects with ConnectionError, or the signal's reason when it aborts. */
export function openWire(options: WireOptions): Promise<Wire> {
  const { url, protocols, signal, open = openNative, binaryType = 'arraybuffer' } = options;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = open(url, protocols);
    socket.binaryType = binaryType;
    // An error tells pages nothing; the close behind it has the code. Programs get the answer's status in its message.
    let message = '';
    signal.addEventListener('abort', onAbort);
    socket.addEventListener('open', () => settle(() => resolve(new Wire(socket))));
    socket.addEventListener('error', (event: { message?: string }) => {
      message = event.message ?? '';
    });
    socket.addEventListener('close', ({ code, reason }: Closed) =>
      settle(() => reject(new ConnectionError(code, reason || message))),
    );
    function settle(how: () => void): void {
      signal.removeEventListener('abort', onAbort);
      how();
    }
    function onAbort(): void {
      reject(signal.reason);
      socket.close();
    }
  });
}

const openNative: OpenWebSocket = (url, protocols) =>
  new WebSocket(url, protocols) as unknown as WebSocketLike;
