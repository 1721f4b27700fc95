import { type Standing, type TcpMessage, WINDOW_BYTES } from '../tcp-protocol/types.ts';
import { ConnectionError } from './errors.ts';

/** What comes from the gateway, until it is read: so much at most. */
export class Inbound {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #send: (message: TcpMessage) => boolean;
  /** Of so many bytes it is said that they have come. */
  ackBytes = Infinity;
  #controller!: ReadableByteStreamController;
  /** Bytes of the stream so far. */
  #received = 0;
  /** Of them those that were read, and granted again. */
  #granted = 0;
  #acknowledged = 0;
  #isEnded = false;

  /** `send` tells the gateway, and whether it could; `onCancel`: nobody wants to read what still comes. */
  constructor(send: (message: TcpMessage) => boolean, onCancel: (reason: unknown) => void) {
    this.#send = send;
    this.readable = new ReadableStream(
      {
        type: 'bytes',
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.grant(),
        cancel: onCancel,
      },
      { highWaterMark: WINDOW_BYTES },
    );
  }

  /** Bytes that wait to be read. */
  get #queued(): number {
    return this.#isEnded ? 0 : WINDOW_BYTES - (this.#controller.desiredSize ?? 0);
  }

  /** Throws ConnectionError if it is more than may wait. */
  add(data: Uint8Array): void {
    this.#received += data.length;
    if (this.#received - this.#acknowledged >= this.ackBytes) {
      this.#acknowledged = this.#received;
      this.#send({ type: 'ACK', offset: this.#received });
    }
    // The message it came in is nobody else's: the stream may have it.
    if (this.#isEnded) this.grant();
    else this.#controller.enqueue(data as Uint8Array<ArrayBuffer>);
    if (this.#queued > WINDOW_BYTES) throw new ConnectionError(1008, 'beyond the window');
  }

  /** The connection is to go on: all that may come is said anew. */
  resume(): Standing {
    const queued = this.#queued;
    this.#granted = this.#received - queued;
    this.#acknowledged = this.#received;
    return { offset: this.#received, credit: WINDOW_BYTES - queued };
  }

  /** Nothing more is wanted, or comes; what did is still read. With an error it is lost. */
  end(error?: unknown): void {
    if (error !== undefined) this.#controller.error(error);
    else if (!this.#isEnded) {
      this.#controller.close();
      // Whoever reads into a buffer of his own gets it back (Streams, ReadableStreamBYOBRequest).
      this.#controller.byobRequest?.respond(0);
    }
    this.#isEnded = true;
  }

  /** As many more bytes may come as were read, once they are worth a message. */
  grant(): void {
    const credit = this.#received - this.#queued - this.#granted;
    if (credit >= WINDOW_BYTES / 2 && this.#send({ type: 'WINDOW', credit })) this.#granted += credit;
  }
}
