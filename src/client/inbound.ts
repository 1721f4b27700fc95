import { ACK_BYTES, WINDOW_BYTES } from '../tcp-protocol/types.ts';

/** What is told to the gateway of what came from it. */
export interface InboundEvents {
  /** So many bytes were read: as many more may come. */
  grant(credit: number): void;
  acknowledge(offset: number): void;
}

/** What comes from the gateway, until it is read: so much at most. */
export class Inbound {
  readonly readable: ReadableStream<Uint8Array>;
  /** Who is told; set by whoever carries the bytes. */
  events: InboundEvents | undefined;
  /** Bytes that may wait to be read. */
  limit = WINDOW_BYTES;
  acknowledges = false;
  /** Bytes of the stream so far. */
  received = 0;
  readonly #queue: Uint8Array<ArrayBuffer>[] = [];
  #controller!: ReadableByteStreamController;
  #queued = 0;
  /** Read, and not granted again. */
  #owed = 0;
  #acknowledged = 0;
  #wanted: (() => void) | undefined;
  #isEnded = false;
  #isDropping = false;

  /** `onCancel`: nobody wants to read what still comes. */
  constructor(onCancel: () => void) {
    this.readable = new ReadableStream(
      {
        type: 'bytes',
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () =>
          new Promise((resolve) => {
            this.#wanted = resolve;
            this.#offer();
          }),
        cancel: () => {
          this.#isEnded = true;
          onCancel();
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** What may still come beyond what has been received. */
  get credit(): number {
    return this.limit - this.#queued;
  }

  /** False if it is more than may wait. */
  add(data: Uint8Array): boolean {
    this.received += data.length;
    if (this.#isEnded && !this.#isDropping) return true;
    this.#queued += data.length;
    if (this.#queued > this.limit) return false;
    if (this.acknowledges && this.received - this.#acknowledged >= ACK_BYTES) {
      this.#acknowledged = this.received;
      this.events?.acknowledge(this.received);
    }
    if (this.#isDropping) {
      this.#consume(data.length);
      return true;
    }
    // The message it came in is nobody else's.
    this.#queue.push(data as Uint8Array<ArrayBuffer>);
    this.#offer();
    return true;
  }

  /** The connection goes on: all that may come was said anew. */
  resume(): void {
    this.#owed = 0;
    this.#acknowledged = this.received;
  }

  /** Nothing more comes; what did is still read. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#offer();
  }

  /** Nobody reads what still comes: it is taken, and dropped. */
  drop(): void {
    this.end();
    this.#isDropping = true;
  }

  /** What has not been read is lost. */
  fail(error: unknown): void {
    if (this.#isEnded && this.#queue.length === 0) return;
    this.#isEnded = true;
    this.#queue.length = 0;
    this.#controller.error(error);
    this.#wanted?.();
  }

  /** Hands on the next part to whoever waits for one, and the end behind the last. */
  #offer(): void {
    const [chunk] = this.#queue;
    const wanted = this.#wanted;
    if (chunk !== undefined && wanted !== undefined) {
      this.#wanted = undefined;
      this.#queue.shift();
      this.#consume(chunk.length);
      this.#controller.enqueue(chunk);
      wanted();
    }
    if (!this.#isEnded || this.#queue.length > 0) return;
    this.#controller.close();
    // Whoever reads into a buffer of his own gets it back (Streams, ReadableStreamBYOBRequest).
    this.#controller.byobRequest?.respond(0);
    this.#wanted?.();
  }

  #consume(bytes: number): void {
    this.#queued -= bytes;
    this.#owed += bytes;
    if (this.#owed < this.limit / 2) return;
    this.events?.grant(this.#owed);
    this.#owed = 0;
  }
}
