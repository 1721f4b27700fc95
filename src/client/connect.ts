import { TCP_PROTOCOL, TCP_RESUME_PROTOCOL } from '../tcp-protocol/types.ts';
import { type AttemptOptions, attempt, offered } from './attempt.ts';
import { createBackoff, wait } from './backoff.ts';
import { Connection } from './connection.ts';
import { asError, ConnectionError } from './errors.ts';
import { createRenewal } from './renewal.ts';
import { type OpenWebSocket, openWebSocket, openWire } from './wire.ts';

export interface ConnectOptions extends AttemptOptions {
  /** Ends the connection, or the attempt to make it. */
  readonly signal?: AbortSignal;
  /** What is written still goes out when the service has finished. Absent: it is finished then, too. */
  readonly allowHalfOpen?: boolean;
  /** Milliseconds for which the first attempt may be repeated where that may help. Absent: not at all. */
  readonly retryMs?: number;
}

/** What is known of an open connection. */
export interface OpenedConnection {
  /** As the gateway's log calls it; empty where the other side is another relay. */
  readonly session: string;
  /** `host:port` as it was asked for; empty where the gateway's configuration names the service. */
  readonly peer: string;
  /** The subprotocol that is spoken. */
  readonly protocol: string;
}

/** A TCP connection, in the shape of the sockets API of WinterTC. */
export interface TcpConnection {
  /** Bytes of the service. Ends with its FIN, errors with ConnectionError. */
  readonly readable: ReadableStream<Uint8Array>;
  /** Takes bytes, as fast as the service does. Closing it is our FIN. */
  readonly writable: WritableStream<Uint8Array>;
  /** Rejects with ConnectionError. */
  readonly opened: Promise<OpenedConnection>;
  /** Resolves when both directions are done with. Rejects with ConnectionError. */
  readonly closed: Promise<void>;
  /** Finishes what is written, and wants no more. Resolves as `closed` does. */
  close(): Promise<void>;
}

/** Opens a TCP connection through a gateway, at a WebSocket URL. */
export function connect(url: string | URL, options: ConnectOptions = {}): TcpConnection {
  const { signal, retryMs = 0, allowHalfOpen } = options;
  const stop = new AbortController();
  const opening = Promise.withResolvers<OpenedConnection>();
  const closing = Promise.withResolvers<void>();
  const renewBefore = createRenewal(options.token, () => void renew(connection, options, stop.signal));
  const connection = new Connection(allowHalfOpen, {
    onExpiry: renewBefore,
    onLost: (ms) => void dial(ms, TCP_RESUME_PROTOCOL).catch(connection.end),
    onEnd,
  });
  const onAbort = () => connection.abort(signal?.reason);
  // Whoever does not wait for them hears of it by the streams.
  for (const { promise } of [opening, closing]) promise.catch(() => {});
  signal?.addEventListener('abort', onAbort, { signal: stop.signal });
  if (signal?.aborted) onAbort();
  else dial(retryMs).then(opening.resolve, connection.end);
  return {
    readable: connection.inbound.readable,
    writable: connection.outbound.writable,
    opened: opening.promise,
    closed: closing.promise,
    close,
  };

  function dial(ms: number, ...more: string[]): Promise<OpenedConnection> {
    return repeat(ms, stop.signal, () => open(String(url), options, more, stop.signal, connection));
  }
  function close(): Promise<void> {
    connection.close();
    return closing.promise;
  }
  function onEnd(error?: ConnectionError): void {
    renewBefore(0);
    stop.abort(error);
    if (error === undefined) closing.resolve();
    opening.reject(error);
    closing.reject(error);
  }
}

/** Repeats an attempt where that may help, for so many milliseconds. Rejects with ConnectionError. */
async function repeat<T>(ms: number, stop: AbortSignal, run: () => Promise<T>): Promise<T> {
  const until = Date.now() + ms;
  const backoff = createBackoff({ firstMs: 200, mostMs: 5_000 });
  for (;;) {
    try {
      return await run();
    } catch (thrown) {
      const error = asError(thrown);
      const pause = backoff();
      if (stop.aborted || !error.mayRetry || Date.now() + pause > until) throw error;
      await wait(pause, stop);
    }
  }
}

/** Opens a connection, or lets it go on, where `more` has the subprotocol for that. */
function open(
  url: string,
  options: ConnectOptions,
  more: readonly string[],
  stop: AbortSignal,
  connection: Connection,
) {
  return attempt(options, stop, async (token, signal): Promise<OpenedConnection> => {
    const protocols = [TCP_PROTOCOL, ...more, ...offered(options.protocols, token)];
    const wire = await openWire(await opener(options), url, protocols, signal);
    const { session, peer } = await connection.open(wire);
    return { session, peer, protocol: wire.socket.protocol };
  });
}

/** Who offers nothing else is given sallyport.tcp.v1, or no connection: only others need to speak plain messages, too. */
async function opener({ protocols, open }: ConnectOptions): Promise<OpenWebSocket> {
  if (protocols === undefined) return open ?? openWebSocket;
  return (await import('./plain.ts')).translating(open);
}

/** Replaces the token of a connection. */
async function renew(connection: Connection, options: ConnectOptions, stop: AbortSignal): Promise<void> {
  try {
    await attempt(options, stop, (token) => connection.authenticate(token as string));
  } catch (thrown) {
    const error = asError(thrown);
    if (error.mayRetry) connection.lose(error);
    else connection.reset(new ConnectionError(error.code, `no new token: ${error.message}`));
  }
}
