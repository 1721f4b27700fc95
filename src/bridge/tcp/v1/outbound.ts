import { MAX_CREDIT, MAX_DATA_BYTES, type Standing, WINDOW_BYTES } from '../../../tcp-protocol/types.ts';
import { protocolFault } from './fault.ts';
import { Ring } from './ring.ts';

/** Whoever is sent the stream. */
export interface Receiver {
  sendData(bytes: Buffer): void;
}

/**
 * What a service sends, on its way to clients: no more than the client has given credit for, counted by offsets from the first
 * byte on. Where the connection can be resumed, what has not been acknowledged is kept: at most a window.
 *
 *     acknowledged ≤ sent ≤ taken ≤ acknowledged + window        sent ≤ limit, which credit raises
 */
export class Outbound {
  readonly #kept: Ring | undefined;
  #receiver: Receiver | undefined;
  #acknowledged = 0;
  #sent = 0;
  #taken = 0;
  #limit = WINDOW_BYTES;

  constructor(isKept: boolean) {
    this.#kept = isKept ? new Ring(WINDOW_BYTES) : undefined;
  }

  /** All that was taken has been sent. */
  get isEmpty(): boolean {
    return this.#sent === this.#taken;
  }

  get hasRoom(): boolean {
    return this.#room > 0;
  }

  /** From now on the stream goes there, from the beginning on. */
  attach(receiver: Receiver): void {
    this.#receiver = receiver;
  }

  detach(): void {
    this.#receiver = undefined;
  }

  /** Whether it can go on from `offset`. */
  canResume({ offset }: Standing): boolean {
    return this.#kept !== undefined && offset >= this.#acknowledged && offset <= this.#sent;
  }

  /** From now on the stream goes there, from where the receiver stands on. Throws PROTOCOL_ERROR for too much credit. */
  resume(receiver: Receiver, { offset, credit }: Standing): void {
    this.#receiver = receiver;
    this.#acknowledged = offset;
    this.#sent = offset;
    this.#limit = offset;
    this.grant(credit);
  }

  /** Takes bytes of the service, and returns how many. What is not kept is sent where it lies, before this returns. */
  offer(chunk: Buffer): number {
    const count = Math.min(chunk.length, this.#room);
    if (count === 0) return 0;
    const bytes = chunk.subarray(0, count);
    this.#kept?.write(this.#taken, bytes);
    this.#taken += count;
    if (this.#kept === undefined) this.#send(bytes);
    else this.#sendKept(this.#kept);
    return count;
  }

  /** The receiver takes so many more bytes. Throws PROTOCOL_ERROR where that makes more than anybody may give. */
  grant(credit: number): void {
    this.#limit += credit;
    if (this.#limit - this.#sent > MAX_CREDIT) throw protocolFault('a credit of more than 16 MiB');
    if (this.#kept !== undefined) this.#sendKept(this.#kept);
  }

  /** The receiver has all before `offset`. Throws PROTOCOL_ERROR for what it cannot have, or had acknowledged before. */
  acknowledge(offset: number): void {
    if (offset < this.#acknowledged || offset > this.#sent)
      throw protocolFault(`ACK of ${offset}, between ${this.#acknowledged} and ${this.#sent}`);
    this.#acknowledged = offset;
  }

  get #room(): number {
    if (this.#kept !== undefined) return this.#acknowledged + WINDOW_BYTES - this.#taken;
    return this.#limit - this.#sent;
  }

  #sendKept(kept: Ring): void {
    while (this.#receiver !== undefined) {
      const count = Math.min(this.#taken, this.#limit) - this.#sent;
      if (count <= 0) return;
      this.#send(kept.read(this.#sent, Math.min(count, MAX_DATA_BYTES)));
    }
  }

  #send(bytes: Buffer): void {
    this.#sent += bytes.length;
    this.#receiver?.sendData(bytes);
  }
}
