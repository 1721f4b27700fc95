import type { Socket } from 'node:net';
import type { Source } from '../../stream/source.ts';
import { lookAtDelivery } from '../../stream/unacknowledged.ts';

/** So often whoever seems to have vanished is looked at. */
const LOOK_AGAIN_MS = 1_000;

/**
 * Whether the host at the other end of a TCP connection is there: a protocol that is not ours cannot be pinged, but whether the
 * host takes what it is sent can be seen. Who sends is there, too.
 *
 *     content ──something is written──▶ owing ──it is sent again──▶ unheard ──acknowledged, or any byte──▶ content
 */
export class HostLiveness {
  readonly #socket: Socket;
  readonly #source: Source;
  /** `performance.now()` when it was first seen not to acknowledge what we sent; undefined while it does. */
  #unheardSince: number | undefined;
  #isLooking = false;
  #lookingAgain: NodeJS.Timeout | undefined;
  /** Whether it takes what it is sent cannot be seen. */
  #isOpaque = false;
  /** At the last look: bytes written by then, and whether some of them were not acknowledged. */
  #writtenThen = 0;
  #wasOwing = false;
  /** Bytes that had come when it was last known to be there. */
  #receivedThen = 0;

  constructor(socket: Socket, source: Source) {
    this.#socket = socket;
    this.#source = source;
  }

  /** Looks whether it takes what it is sent. */
  look(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#look();
  }

  /** Its socket is closed. */
  stop(): void {
    clearTimeout(this.#lookingAgain);
  }

  /**
   * Milliseconds for which it has taken nothing at `now` (`performance.now()`); undefined if it owes nothing, or nobody can
   * tell. 0 while there is something to acknowledge: then it is looked at again, for it may vanish right after a look.
   */
  silence(now: number): number | undefined {
    if (this.#isOpaque) return undefined;
    if (this.#unheardSince === undefined && !this.#isOwing) return undefined;
    if (this.#source.received === this.#receivedThen) this.look();
    else this.#onHeard();
    return this.#unheardSince === undefined ? 0 : now - this.#unheardSince;
  }

  get #isOwing(): boolean {
    return this.#wasOwing || this.#socket.bytesWritten !== this.#writtenThen;
  }

  #onHeard(): void {
    this.#receivedThen = this.#source.received;
    this.#unheardSince = undefined;
  }

  async #look(): Promise<void> {
    const now = performance.now();
    const { bytesWritten } = this.#socket;
    const delivery = await lookAtDelivery(this.#socket);
    this.#isLooking = false;
    this.#writtenThen = bytesWritten;
    this.#isOpaque = delivery === undefined;
    this.#wasOwing = delivery !== undefined && delivery.unacknowledged > 0;
    this.#unheardSince = delivery?.isRepeated ? (this.#unheardSince ?? now) : undefined;
    clearTimeout(this.#lookingAgain);
    if (this.#unheardSince === undefined || this.#socket.destroyed) return;
    // What was lost on the way is sent again, too: once it has arrived there was no silence.
    this.#lookingAgain = setTimeout(() => this.look(), LOOK_AGAIN_MS);
  }
}
