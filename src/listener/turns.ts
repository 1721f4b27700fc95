import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests that may wait on one connection: more are of use to nobody, and all lie in memory. */
const MAX_WAITING = 128;

/**
 * Has the requests of a connection served one after the other, as their answers go out in order anyway (RFC 9112 §9.3.2).
 * With all of them under way at once, one connection would take the upstream connections and descriptors of many.
 */
export class Turns {
  readonly #waiting = new WeakMap<Socket, number>();

  /** Calls `serve` once `ahead`, the response before, is done with. Cuts off a client that has too many waiting. */
  wait(socket: Socket, ahead: ServerResponse, serve: () => void): void {
    const waiting = this.#count(socket);
    if (waiting >= MAX_WAITING) {
      socket.destroy();
      return;
    }
    this.#waiting.set(socket, waiting + 1);
    ahead.once('close', () => {
      this.#waiting.set(socket, this.#count(socket) - 1);
      serve();
    });
  }

  #count(socket: Socket): number {
    return this.#waiting.get(socket) ?? 0;
  }
}
