import { ConnectionError } from './errors.ts';

/** What of the WebSocket API is used here; that of browsers, of Node and of `ws` all have it. */
export interface WebSocketLike {
  binaryType: string;
  readonly protocol: string;
  readonly bufferedAmount: number;
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
  /** What comes before anybody listens waits for them; whoever listens in a constructor hears nothing before that has ended. */
  readonly #events = Promise.withResolvers<WireEvents>();
  /** Hears all that comes. */
  readonly listen = this.#events.resolve;

  constructor(socket: WebSocketLike) {
    const { promise } = this.#events;
    this.socket = socket;
    socket.addEventListener('message', ({ data }: { data: unknown }) =>
      promise.then((events) => events.onMessage(data)),
    );
    socket.addEventListener('close', ({ code, reason }: Closed) =>
      promise.then((events) => events.onClose(new ConnectionError(code, reason))),
    );
  }

  close(code = 1000, reason = ''): void {
    // A script may say 1000 and 3000 to 4999 only.
    this.socket.close(code < 3000 ? 1000 : code, reason.slice(0, 40));
  }
}

/** Opens a wire, which is closed when the signal aborts. Rejects with ConnectionError, or the signal's reason. */
export function openWire(
  url: string,
  protocols: string[],
  signal: AbortSignal,
  open: OpenWebSocket = (...where) => new WebSocket(...where) as unknown as WebSocketLike,
  binaryType = 'arraybuffer',
): Promise<Wire> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = open(url, protocols);
    socket.binaryType = binaryType;
    // An error tells pages nothing; the close behind it has the code. Programs get the answer's status in its message.
    let message = '';
    signal.addEventListener('abort', onAbort);
    socket.addEventListener('open', () => resolve(new Wire(socket)));
    socket.addEventListener('error', (event: { message?: string }) => {
      message = event.message ?? '';
    });
    socket.addEventListener('close', ({ code, reason }: Closed) => {
      signal.removeEventListener('abort', onAbort);
      reject(new ConnectionError(code, reason || message));
    });
    function onAbort(): void {
      reject(signal.reason);
      socket.close();
    }
  });
}
