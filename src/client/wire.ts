import { ConnectionError } from './errors.ts';

/** What is read of the events `open`, `message`, `error` and `close`. */
export interface WebSocketEvent {
  readonly type: string;
  readonly data?: unknown;
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
}

/** What of the WebSocket API is used here; that of browsers, of Node and of `ws` all have it. */
export interface WebSocketLike {
  binaryType: string;
  readonly protocol: string;
  readonly bufferedAmount: number;
  send(data: string | ArrayBufferView<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: string, listener: (event: WebSocketEvent) => unknown): void;
}

/** Makes a WebSocket. */
export type OpenWebSocket = (url: string, protocols: string[]) => WebSocketLike;

/** Those of this place. */
export const openWebSocket: OpenWebSocket = (...where) => new WebSocket(...where);

/** Hears what comes over a wire. */
export interface WireEvents {
  /** A text, or bytes as `binaryType` says. */
  onMessage(data: unknown): void;
  /** It is over. */
  onClose(error: ConnectionError): void;
}

/** An open WebSocket. */
export interface Wire {
  readonly socket: WebSocketLike;
  /** Hears all that comes, from the first message on. */
  listen(events: WireEvents): void;
  close(code?: number, reason?: string): void;
}

/** Opens a wire, which is closed when the signal aborts, and gives no messages after that. Rejects with ConnectionError. */
export function openWire(
  open: OpenWebSocket,
  url: string,
  protocols: string[],
  signal: AbortSignal,
  binaryType = 'arraybuffer',
): Promise<Wire> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = made(() => open(url, protocols));
    // What comes before anybody listens waits for them.
    const { promise: listening, resolve: listen } = Promise.withResolvers<WireEvents>();
    // An error tells pages nothing; the close behind it has the code. Programs get the answer's status in its message.
    let message: string | undefined;
    socket.binaryType = binaryType;
    signal.addEventListener('abort', () => socket.close());
    socket.addEventListener('open', () => resolve({ socket, listen, close }));
    socket.addEventListener('message', async ({ data }) => {
      const events = await listening;
      if (!signal.aborted) events.onMessage(data);
    });
    socket.addEventListener('error', (event) => {
      message = event.message;
    });
    socket.addEventListener('close', async ({ code, reason }) => {
      const error = new ConnectionError(code as number, reason || message);
      reject(error);
      (await listening).onClose(error);
    });
    // A script may say 1000 and 3000 to 4999 only, and 123 bytes.
    function close(code = 1000, reason = ''): void {
      socket.close(code < 3000 ? 1000 : code, reason.slice(0, 40));
    }
  });
}

/** What a constructor throws may have the token in it. */
function made(make: () => WebSocketLike): WebSocketLike {
  try {
    return make();
  } catch {
    throw new ConnectionError(1002, 'this URL, subprotocol or token cannot be used');
  }
}
