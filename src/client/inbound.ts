import { WINDOW_BYTES } from '../tcp-protocol/types.ts';

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
  /** Of so many bytes it is said that they have come. */
  ackBytes = Infinity;
  /** Bytes of the stream so far. */
  received = 0;
  #controller!: ReadableByteStreamController;
  /** Of them those that were read, and granted again. */
  #granted = 0;
  #acknowledged = 0;
  #isEnded = false;

  /** `onCancel`: nobody wants to read what still comes. */
  constructor(onCancel: (reason: unknown) => void) {
    this.readable = new ReadableStream(
      {
        type: 'bytes',
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#grant(),
        cancel: (reason) => {
          this.#isEnded = true;
          onCancel(reason);
        },
      },
      { highWaterMark: WINDOW_BYTES },
    );
  }

  /** What may still come beyond what has been received. */
  get credit(): number {
    return this.limit - this.#queued;
  }

  /** Bytes that wait to be read. */
  get #queued(): number {
    return this.#isEnded ? 0 : WINDOW_BYTES - (this.#controller.desiredSize ?? 0);
  }

  /** False if it is more than may wait. */
  add(data: Uint8Array): boolean {
    this.received += data.length;
    if (this.received - this.#acknowledged >= this.ackBytes) {
      this.#acknowledged = this.received;
      this.events?.acknowledge(this.received);
    }
    // The message it came in is nobody else's: the stream may have it.
    if (this.#isEnded) this.#grant();
    else this.#controller.enqueue(data as Uint8Array<ArrayBuffer>);
    return this.#queued <= this.limit;
  }

  /** The connection goes on: all that may come was said anew. */
  resume(): void {
    this.#granted = this.received - this.#queued;
    this.#acknowledged = this.received;
  }

  /** Nothing more is wanted, or comes; what did is still read. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#controller.close();
    // Whoever reads into a buffer of his own gets it back (Streams, ReadableStreamBYOBRequest).
    this.#controller.byobRequest?.respond(0);
  }

  /** What has not been read is lost. */
  fail(error: unknown): void {
    this.#isEnded = true;
    this.#controller.error(error);
  }

  #grant(): void {
    const owed = this.received - this.#queued - this.#granted;
    if (owed < this.limit / 2) return;
    this.#granted += owed;
    this.events?.grant(owed);
  }
}
