import type { Socket } from 'node:net';
import { GatewayError } from '../errors.ts';
import { closePayload } from '../frames/close.ts';
import { CLOSE } from '../frames/opcodes.ts';
import { frame } from '../frames/writer.ts';
import type { ConnectionObserver } from './observer.ts';
import { refusalBytes, writeRefusal } from './refusal.ts';

/** Connections that may wait beyond the bound: what they ask for they ask over HTTP and TLS, and so are they answered. */
const WAITING_BEYOND = 8;
/** And those that may take their leave, beyond that. */
const PARTING_BEYOND = 8;
/** What they are given to do so, in milliseconds. */
const PARTING_MS = 1_000;
/** A newcomer is given so long to ask for something before another newcomer may take its place. */
const SAFE_MS = 1_000;
/** A fatal internal_error (RFC 8446 §6.2) may come instead of a ServerHello: all that can be said before there is TLS. */
const TLS_ALERT = Buffer.from([21, 3, 3, 0, 2, 2, 80]);

/** What may be written on a socket so that its client understands. */
export type Speech = 'http' | 'tls handshake' | 'websocket';

interface Wait {
  /** By `performance.now()`. */
  readonly since: number;
  readonly speech: Speech;
}

/**
 * The client connections of all listeners, bounded together, since a descriptor that cannot be had is a connection closed
 * without a word. A connection either *waits* (for TLS, for a request or the next one, for what its client has yet to say) or
 * has something *under way*, a request or a session; `max` of them may have, each of which may need more descriptors for its
 * upstream. Those that wait hold a little room besides, which the one that has waited longest gives up for a newcomer: silence
 * keeps nobody out.
 *
 *     take ─► waits ─ begin ─► under way ─ rest ─► waits        close, at any time: gone
 */
export class Connections {
  readonly #max: number;
  readonly #observer: ConnectionObserver;
  #open = 0;
  readonly #underWay = new Set<Socket>();
  /** The longest first. */
  readonly #waiting = new Map<Socket, Wait>();

  /** At most `max` requests and sessions are under way at a time; Infinity for no bound. */
  constructor(max: number, observer: ConnectionObserver) {
    this.#max = max;
    this.#observer = observer;
  }

  /** Takes an accepted socket in; it needs an `error` listener. False: there is no room, and it has been sent away. */
  take(socket: Socket, speech: Speech): boolean {
    const beyond = this.#open - this.#max;
    const isCrowded = beyond >= WAITING_BEYOND && !this.#endLongestWait();
    // Its request may lie there unread, and would turn our end into a reset; before TLS nothing can be done about that.
    const mayPart = speech === 'http' && beyond < WAITING_BEYOND + PARTING_BEYOND;
    if (isCrowded) this.#observer.parted('crowded', socket.remoteAddress);
    if (isCrowded && !mayPart) {
      cut(socket, speech);
      return false;
    }
    this.#open++;
    this.#observer.opened();
    socket.on('close', this.#onClose);
    if (isCrowded) writeRefusal(socket, new GatewayError('GATEWAY_FULL'), PARTING_MS);
    else this.#wait(socket, speech);
    return !isCrowded;
  }

  /** The TLS handshake on `raw` is done: from here on `socket` stands for the connection. */
  secured(raw: Socket | undefined, socket: Socket): void {
    if (raw !== undefined) this.#waiting.delete(raw);
    this.#wait(socket, 'http');
    socket.on('close', this.#onSecureClose);
  }

  /** A request or an upgrade has come. False: there is no room for it, and it is to be refused. */
  begin(socket: Socket): boolean {
    if (this.#underWay.size >= this.#max && !this.#underWay.has(socket)) {
      this.#observer.parted('full', socket.remoteAddress);
      return false;
    }
    this.#waiting.delete(socket);
    this.#underWay.add(socket);
    return true;
  }

  /** Nothing is under way until its client says more. */
  rest(socket: Socket, speech: Speech = 'http'): void {
    if (this.#underWay.delete(socket) && !socket.destroyed) this.#wait(socket, speech);
  }

  /** The client has said more, after `rest`. Throws GATEWAY_FULL if there is no room for it, and CLIENT_LOST. */
  resume(socket: Socket): void {
    // Its `close` may be over: nobody would take it out again.
    if (socket.destroyed) throw new GatewayError('CLIENT_LOST');
    if (!this.begin(socket)) throw new GatewayError('GATEWAY_FULL');
  }

  #wait(socket: Socket, speech: Speech): void {
    this.#waiting.set(socket, { since: performance.now(), speech });
  }

  #endLongestWait(): boolean {
    const [longest] = this.#waiting;
    if (longest === undefined) return false;
    const [socket, { since, speech }] = longest;
    if (performance.now() - since < SAFE_MS) return false;
    this.#waiting.delete(socket);
    this.#observer.parted('idle', socket.remoteAddress);
    cut(socket, speech);
    return true;
  }

  // One function for all sockets: a closure each would be kept as long as a session lasts.
  readonly #onClose = withSocket((socket) => {
    this.#open--;
    this.#observer.closed();
    this.#forget(socket);
  });

  readonly #onSecureClose = withSocket((socket) => this.#forget(socket));

  #forget(socket: Socket): void {
    this.#waiting.delete(socket);
    this.#underWay.delete(socket);
  }
}

/** Says why, and has the descriptor free when it returns. */
function cut(socket: Socket, speech: Speech): void {
  if (socket.writable) socket.write(lastWord(speech));
  socket.destroy();
}

function lastWord(speech: Speech): Buffer {
  const full = new GatewayError('GATEWAY_FULL');
  if (speech === 'websocket') return frame(CLOSE, closePayload(full.close, full.message));
  return speech === 'http' ? refusalBytes(full) : TLS_ALERT;
}

/** A listener for the events of any number of sockets, given the one it is called for. */
export function withSocket(listener: (socket: Socket) => void) {
  return function onEvent(this: Socket): void {
    listener(this);
  };
}
