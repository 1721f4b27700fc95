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
  readonly #queue: Uint8Array<ArrayBuffer>[] = [];
  #controller!: ReadableByteStreamController;
  #queued = 0;
  /** Read, and not granted again. */
  #owed = 0;
  #wanted: (() => void) | undefined;
  #isEnded = false;
  #isDropping = false;
  /** Bytes of the stream so far. */
  received = 0;
  #acknowledged = 0;
  acknowledges = false;

  /** `onCancel`: nobody wants to read what still comes. */
  constructor(onCancel: () => void) {
    this.readable = new ReadableStream(
      {
        type: 'bytes',
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
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
    if (this.#isDropping) this.#drop(data.length);
    if (this.#isEnded) return true;
    this.#queued += data.length;
    if (this.#queued > this.limit) return false;
    if (this.acknowledges && this.received - this.#acknowledged >= ACK_BYTES) this.#acknowledge();
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
    if (!this.#isEnded) this.end();
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

  #pull(): Promise<void> {
    return new Promise((resolve) => {
      this.#wanted = resolve;
      this.#offer();
    });
  }

  /** Hands on the next part, to whoever waits for one. */
  #offer(): void {
    const wanted = this.#wanted;
    const chunk = this.#queue[0];
    if (chunk === undefined && this.#isEnded) this.#close();
    if (wanted === undefined || chunk === undefined) return;
    this.#wanted = undefined;
    this.#queue.shift();
    this.#consumed(chunk.length);
    this.#controller.enqueue(chunk);
    wanted();
    if (this.#isEnded && this.#queue.length === 0) this.#close();
  }

  #close(): void {
    this.#controller.close();
    // Whoever reads into a buffer of his own gets it back (Streams, ReadableStreamBYOBRequest).
    this.#controller.byobRequest?.respond(0);
    this.#wanted?.();
    this.#wanted = undefined;
  }

  #consumed(bytes: number): void {
    this.#queued -= bytes;
    this.#owed += bytes;
    if (this.#owed < this.limit / 2) return;
    this.events?.grant(this.#owed);
    this.#owed = 0;
  }

  #drop(bytes: number): void {
    this.#queued += bytes;
    this.#consumed(bytes);
  }

  #acknowledge(): void {
    this.#acknowledged = this.received;
    this.events?.acknowledge(this.received);
  }
}
