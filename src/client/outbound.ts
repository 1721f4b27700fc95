import { MAX_DATA_BYTES, WINDOW_BYTES } from '../tcp-protocol/types.ts';

/**
 * What goes to the gateway: as much as it gives credit for. Where the connection can be resumed, what it has not acknowledged
 * is kept, a window at most.
 */
export class Outbound {
  readonly #send: (data: Uint8Array) => void;
  #waiting: Uint8Array[] = [];
  #sent: (() => void) | undefined;
  /** In their order, the oldest first. */
  #kept: Uint8Array[] = [];
  /** Offset behind all that was sent. */
  #offset = 0;
  #credit = WINDOW_BYTES;
  /** Offset behind all that was acknowledged. */
  #acknowledged = 0;
  keeps = false;

  constructor(send: (data: Uint8Array) => void) {
    this.#send = send;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Resolves when all of it is on its way. One at a time: a WritableStream sees to that. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((sent) => {
      this.#sent = sent;
      if (bytes.length > 0) this.#waiting.push(bytes);
      this.grant(0);
    });
  }

  grant(credit: number): void {
    this.#credit += credit;
    this.#flush();
  }

  acknowledge(offset: number): void {
    let gone = offset - this.#acknowledged;
    if (gone < 0) return;
    this.#acknowledged = offset;
    while (gone > 0) {
      const first = this.#kept.shift();
      if (!first) break;
      if (gone < first.length) this.#kept.unshift(first.subarray(gone));
      gone -= first.length;
    }
    this.#flush();
  }

  /** The connection goes on: what the gateway has not received is sent again, within what it takes now. */
  resume(offset: number, credit: number): void {
    this.#credit = 0;
    this.acknowledge(offset);
    this.#waiting.unshift(...this.#kept);
    this.#kept = [];
    this.#offset = this.#acknowledged;
    this.grant(credit);
  }

  /** Sends what may be sent. */
  #flush(): void {
    for (let [first] = this.#waiting; first; [first] = this.#waiting) {
      const room = Math.min(
        this.#credit,
        MAX_DATA_BYTES,
        this.keeps ? WINDOW_BYTES - this.#offset + this.#acknowledged : Infinity,
      );
      if (room <= 0) return;
      const part = first.subarray(0, room);
      this.#credit -= part.length;
      this.#offset += part.length;
      // Whoever has written it may write over it by then.
      if (this.keeps) this.#kept.push(part.slice());
      this.#send(part);
      if (part.length === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(room);
    }
    this.#sent?.();
  }
}
