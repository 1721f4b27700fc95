import { MAX_DATA_BYTES, WINDOW_BYTES } from '../tcp-protocol/types.ts';

/** Part of what a caller writes, and whom to tell when it is on its way. */
interface Waiting {
  bytes: Uint8Array;
  readonly sent: () => void;
}

/**
 * What goes to the gateway: as much as it gives credit for. Where the connection can be resumed, what it has not acknowledged
 * is kept, a window at most.
 */
export class Outbound {
  readonly #send: (data: Uint8Array) => void;
  readonly #waiting: Waiting[] = [];
  /** In their order, the oldest first. */
  readonly #kept: Uint8Array[] = [];
  #credit = WINDOW_BYTES;
  #keptBytes = 0;
  /** Offset behind all that was acknowledged. */
  #acknowledged = 0;
  /** So many of the kept bytes are to be sent again. */
  #repeat = 0;
  keeps = false;

  constructor(send: (data: Uint8Array) => void) {
    this.#send = send;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#repeat === 0;
  }

  /** Resolves when all of it is on its way. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((sent) => {
      this.#waiting.push({ bytes, sent });
      this.flush();
    });
  }

  grant(credit: number): void {
    this.#credit += credit;
    this.flush();
  }

  acknowledge(offset: number): void {
    let bytes = offset - this.#acknowledged;
    this.#acknowledged = Math.max(offset, this.#acknowledged);
    while (bytes > 0 && this.#kept[0] !== undefined) {
      const [first] = this.#kept;
      const gone = Math.min(bytes, first.length);
      bytes -= gone;
      this.#keptBytes -= gone;
      if (gone === first.length) this.#kept.shift();
      else this.#kept[0] = first.subarray(gone);
    }
    this.flush();
  }

  /** The connection goes on: what the gateway has not received is sent again, within what it takes now. */
  resume(offset: number, credit: number): void {
    this.#credit = 0;
    this.acknowledge(offset);
    this.#credit = credit;
    this.#repeat = this.#keptBytes;
    this.flush();
  }

  /** Sends what may be sent. */
  flush(): void {
    while (this.#repeat > 0 && this.#credit > 0) this.#sendAgain();
    if (this.#repeat > 0) return;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const room = Math.min(this.#credit, this.keeps ? WINDOW_BYTES - this.#keptBytes : Infinity);
      if (room <= 0) return;
      const part = first.bytes.subarray(0, Math.min(room, MAX_DATA_BYTES));
      if (this.keeps) this.#keep(part);
      this.#credit -= part.length;
      this.#send(part);
      first.bytes = first.bytes.subarray(part.length);
      if (first.bytes.length > 0) continue;
      this.#waiting.shift();
      first.sent();
    }
  }

  #keep(part: Uint8Array): void {
    // Whoever has written it may write over it by then.
    this.#kept.push(part.slice());
    this.#keptBytes += part.length;
  }

  /** One of the kept parts, or the beginning of it that there is credit for. */
  #sendAgain(): void {
    let skip = this.#keptBytes - this.#repeat;
    const part = this.#kept.find(({ length }) => {
      if (skip < length) return true;
      skip -= length;
      return false;
    }) as Uint8Array;
    const bytes = part.subarray(skip, skip + this.#credit);
    this.#repeat -= bytes.length;
    this.#credit -= bytes.length;
    this.#send(bytes);
  }
}
