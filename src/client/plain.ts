import { encoder } from '../tcp-protocol/fields.ts';
import { ConnectionError } from './errors.ts';
import type { Inbound } from './inbound.ts';
import type { Wire, WireEvents } from './wire.ts';

/** Bytes of a page's own that may wait in the browser. */
const SENDING_BYTES = 1024 * 1024;
/** What may wait to be read. A WebSocket cannot be held back: beyond it the connection is given up. */
const UNREAD_BYTES = 16 * 1024 * 1024;

/** A TCP connection through a gateway, or another relay, that speaks plain binary messages: no half-close, no windows. */
export class PlainConnection implements WireEvents {
  readonly #wire: Wire;
  readonly #inbound: Inbound;
  readonly #onEnd: (error?: ConnectionError) => void;
  #isOver = false;
  isFinishing = false;

  /** `onEnd`: it is over, well or with an error. */
  constructor(wire: Wire, inbound: Inbound, onEnd: (error?: ConnectionError) => void) {
    this.#wire = wire;
    this.#inbound = inbound;
    this.#onEnd = onEnd;
    inbound.limit = UNREAD_BYTES;
    wire.listen(this);
  }

  /** Resolves when little of it waits. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#wire.socket.send(bytes.slice());
    // A WebSocket does not say when they have gone.
    while (this.#wire.socket.bufferedAmount > SENDING_BYTES && !this.#isOver)
      await new Promise((resolve) => setTimeout(resolve, 10));
  }

  /** Everything that was written goes ahead of it; the relay then ends both directions. */
  finish(): void {
    this.isFinishing = true;
    this.#wire.close();
  }

  /** There is no other end than `finish`. */
  close(): void {
    this.finish();
  }

  reset(): void {
    this.finish();
  }

  onMessage(data: string | ArrayBuffer): void {
    const bytes = typeof data === 'string' ? encoder.encode(data) : new Uint8Array(data);
    if (this.#isOver || bytes.length === 0 || this.#inbound.add(bytes)) return;
    this.finish();
    this.onClose(new ConnectionError(1009, `more than ${UNREAD_BYTES} bytes unread`));
  }

  onClose(error: ConnectionError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onEnd(error.code === 1000 ? undefined : error);
  }
}
