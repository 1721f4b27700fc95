import { MAX_DATA_BYTES, type TcpMessage, WINDOW_BYTES } from '../tcp-protocol/types.ts';
import { ConnectionError } from './errors.ts';

/** As the standard has it, and the types of Node have not. */
type WithSignal = WritableStreamDefaultController & { readonly signal: AbortSignal };

/**
 * What goes to the gateway: as much as it gives credit for, and FIN behind all that was written. Where the connection can be resumed,
 * what it has not acknowledged is kept, a window at most.
 */
export class Outbound {
  readonly writable: WritableStream<Uint8Array>;
  readonly #send: (message: TcpMessage) => unknown;
  /** Of a stream that has not been closed or aborted. */
  #controller: WritableStreamDefaultController | undefined;
  /** Chunks that were written, and have not been sent as a whole. */
  #unsent = 0;
  #waiting: Uint8Array[] = [];
  #writing: PromiseWithResolvers<void> | undefined;
  /** In their order, the oldest first. */
  #kept: Uint8Array[] = [];
  /** Offset behind all that was sent. */
  #offset = 0;
  #credit = 0;
  /** Offset behind all that was acknowledged. */
  #acknowledged = 0;
  keeps = false;
  #isFinishing = false;
  isFinSent = false;

  /** `onAbort`: what was written is not to go out. */
  constructor(send: (message: TcpMessage) => unknown, onAbort: (reason: unknown) => void) {
    this.#send = send;
    const start = (controller: WritableStreamDefaultController) => {
      const { signal } = controller as WithSignal;
      this.#controller = controller;
      signal.addEventListener('abort', () => {
        this.#controller = undefined;
        // The stream itself would wait for what is being written.
        onAbort(signal.reason);
      });
    };
    const write = (chunk: Uint8Array) => {
      if (ArrayBuffer.isView(chunk)) return this.#write(chunk);
      const error = new ConnectionError(1003, 'only bytes can be written');
      // What follows is not to go out without it.
      onAbort(error);
      throw error;
    };
    const close = () => {
      this.#controller = undefined;
      this.finish();
    };
    const size = () => {
      this.#unsent++;
      return 1;
    };
    this.writable = new WritableStream({ start, write, close }, { size });
  }

  /** Nothing more will be written. */
  finish(): void {
    this.#isFinishing = true;
    this.#flush();
  }

  /** What waits will not be sent, and nothing more is taken. */
  fail(error = new ConnectionError(1000, 'it has finished')): void {
    this.#writing?.reject(error);
    this.#controller?.error(error);
  }

  grant(credit: number): void {
    this.#credit += credit;
    this.#flush();
  }

  acknowledge(offset: number): void {
    let gone = offset - this.#acknowledged;
    if (gone < 0) return;
    this.#acknowledged = offset;
    for (const part of this.#kept.splice(0)) {
      if (gone < part.length) this.#kept.push(part.subarray(Math.max(gone, 0)));
      gone -= part.length;
    }
    this.#flush();
  }

  /** The connection begins, or goes on: what the gateway has not received is sent, within what it takes now. */
  resume(offset: number, credit: number): void {
    this.#credit = 0;
    this.acknowledge(offset);
    this.#waiting.unshift(...this.#kept.splice(0));
    this.#offset = this.#acknowledged;
    this.isFinSent = false;
    this.grant(credit);
  }

  #write({ buffer, byteOffset, byteLength }: Uint8Array): Promise<void> {
    const writing = Promise.withResolvers<void>();
    this.#writing = writing;
    if (byteLength > 0) this.#waiting.push(new Uint8Array(buffer, byteOffset, byteLength));
    this.#flush();
    return writing.promise;
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
      const data = first.subarray(0, room);
      this.#credit -= data.length;
      this.#offset += data.length;
      // Whoever has written it may write over it by then.
      if (this.keeps) this.#kept.push(data.slice());
      if (data.length === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(room);
      this.#send({ type: 'DATA', data });
    }
    this.#onSent();
  }

  #onSent(): void {
    if (this.#writing) this.#unsent--;
    this.#writing?.resolve();
    this.#writing = undefined;
    if (!this.#isFinishing || this.isFinSent || this.#unsent > 0) return;
    this.isFinSent = true;
    this.fail();
    this.#send({ type: 'FIN' });
  }
}
