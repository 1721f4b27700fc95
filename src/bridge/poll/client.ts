import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { asGatewayError, type ErrorCode, GatewayError } from '../../errors.ts';
import { ABNORMAL, closePayload } from '../../frames/close.ts';
import type { Ending, SessionHandle } from '../contract.ts';
import { endingOf } from '../ending.ts';
import { deliver } from './delivery.ts';
import { createInboundQueue } from './inbound-queue.ts';
import type { Message } from './profile.ts';

/** Where a route sets no limit: a message is held whole, so there has to be one. */
const DEFAULT_MESSAGE_SIZE = 1024 * 1024;

/** The client's side of a session: a WebSocket that takes and gives whole messages. */
export interface ClientSide {
  /** Sends the messages, in order. Resolves with true when the kernel has them all, with false if the session is ending instead. */
  deliver(messages: readonly Message[]): Promise<boolean>;
  /** Stops and restarts the flow of messages from the client. */
  hold(): void;
  release(): void;
  ping(): void;
  /** The client has sent nothing since the last `ping`, though it was being read then. */
  silent(): boolean;
  /** Takes nothing more, sends a Close with the ending's code, waits `closeMs` for the answer. */
  close(ending: Ending): void;
  /** Ends it without waiting for anything. */
  destroy(): void;
  /** Resolves when the socket is gone. */
  readonly closed: Promise<void>;
}

export interface ClientEvents {
  /** A message the session has admitted. */
  onMessage(message: Message): void;
  /** The client closed or vanished, broke a rule or stalled; its last messages have been handed over. May come again. */
  onEnd(ending: Ending): void;
}

/** Serves the client's socket, whose handshake is done; `head` is what came after the handshake. */
export function serveClient(
  socket: Duplex & { readonly bytesRead?: number },
  head: Buffer,
  session: SessionHandle,
  events: ClientEvents,
): ClientSide {
  if (!socket.readable || !socket.writable) socket.destroy();
  const ws = adopt(socket, head, session);
  const flow = { pause: () => ws.pause(), resume: () => ws.resume() };
  const inbound = createInboundQueue(session, flow, events.onMessage, fail);
  let bytesAtPing = 0;
  let deafAtPing = false;
  let awaitsPong = false;

  ws.on('message', function onMessage(data: Buffer, binary: boolean) {
    inbound.push({ data, binary });
  });
  ws.on('ping', inbound.pushControl);
  ws.on('pong', function onPong() {
    if (!awaitsPong) inbound.pushControl();
    awaitsPong = false;
  });
  ws.on('error', function onError(error: Error & { code?: string }) {
    fail(new GatewayError(codeOf(error.code), { cause: error }));
  });
  const closed = new Promise<void>((resolve) => {
    ws.on('close', onClose);
    // A socket that died before it was ours tells no one again.
    if (socket.closed) queueMicrotask(() => onClose(ABNORMAL, Buffer.alloc(0)));

    function onClose(code: number, reason: Buffer): void {
      resolve();
      inbound.finish(() => events.onEnd(endingOfClose(code, reason)));
    }
  });

  function fail(thrown: unknown): void {
    const error = asGatewayError(thrown);
    events.onEnd(endingOf(error, error.code === 'CLIENT_LOST' ? 'client' : 'gateway'));
  }

  return {
    closed,
    hold: inbound.hold,
    release: inbound.release,
    async deliver(messages) {
      try {
        await deliver(socket, ws, messages, session);
        return true;
      } catch (error) {
        // A client that has gone says so by itself, and more exactly.
        if (ws.readyState === WebSocket.OPEN) fail(error);
        return false;
      }
    },
    ping() {
      bytesAtPing = socket.bytesRead ?? 0;
      deafAtPing = ws.isPaused;
      if (ws.readyState !== WebSocket.OPEN) return;
      awaitsPong = true;
      ws.ping();
    },
    silent() {
      // Whoever pauses later has heard something first.
      return !deafAtPing && socket.bytesRead === bytesAtPing;
    },
    close({ code, reason }) {
      inbound.stop();
      if (socket.destroyed) return;
      const payload = closePayload(code, reason);
      ws.close(payload.length > 0 ? code : undefined, payload.subarray(2));
      // The answer to the Close has to be read.
      ws.resume();
    },
    destroy: () => void socket.destroy(),
  };
}

interface Adoptable {
  setSocket(socket: Duplex, head: Buffer, options: object): void;
}

/**
 * Joins a `ws` WebSocket to a socket whose 101 is already written: the two calls that `WebSocketServer` makes after
 * writing one. Its public `handleUpgrade` would write a 101 of its own, without our headers. Deflate is left off.
 */
function adopt(socket: Duplex, head: Buffer, session: SessionHandle): WebSocket {
  const maxPayload = session.messageSize === Infinity ? DEFAULT_MESSAGE_SIZE : session.messageSize;
  const options = { autoPong: true, maxPendingAutoPongs: 60, closeTimeout: session.closeMs };
  const ws = Reflect.construct(WebSocket, [null, undefined, options]) as WebSocket & Adoptable;
  ws.setSocket(socket, head, {
    allowSynchronousEvents: true,
    maxBufferedChunks: 256 * 1024,
    maxFragments: 16 * 1024,
    maxPayload,
    skipUTF8Validation: false,
  });
  // The handshake hands its socket over paused.
  ws.resume();
  return ws;
}

/** What an error of `ws` means; those without a code of its own come from the socket. */
function codeOf(code: string | undefined): ErrorCode {
  if (!code?.startsWith('WS_ERR_')) return 'CLIENT_LOST';
  if (code === 'WS_ERR_INVALID_UTF8') return 'INVALID_PAYLOAD';
  return /TOO_MANY|UNSUPPORTED_MESSAGE_LENGTH/.test(code) ? 'MESSAGE_TOO_BIG' : 'PROTOCOL_ERROR';
}

/** The ending that a closed WebSocket tells of. */
function endingOfClose(code: number, reason: Buffer): Ending {
  if (code === ABNORMAL) return endingOf(new GatewayError('CLIENT_LOST'), 'client');
  return { code, reason: reason.toString(), by: 'client' };
}
