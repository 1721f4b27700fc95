import { GatewayError } from '../../../errors.ts';
import type { Sink } from '../../../stream/sink.ts';
import { ACK_BYTES, type TcpMessage, WINDOW_BYTES } from '../../../tcp-protocol/types.ts';
import { Backlog } from '../backlog.ts';
import { protocolFault } from './fault.ts';

const HALF_WINDOW = WINDOW_BYTES / 2;
/** With so much behind what the service has not taken it is slow, which has a deadline. */
const SLOW_BYTES = WINDOW_BYTES / 4;

export interface InboundOptions {
  /** That of the service. */
  readonly sink: Sink;
  /** What is received is acknowledged, so that the connection can be resumed. */
  readonly acknowledges: boolean;
  /** Says something to the client, if there is one. */
  readonly send: (message: TcpMessage) => void;
}

/**
 * What clients send, on its way to the service: never more than a window of it is in this process, for they are given credit
 * as the service's socket takes it. Counted by offsets from the first byte on.
 *
 *     passed on ≤ received ≤ limit = passed on + window, as far as it has been granted
 *
 * While the service is slow, what comes waits here, in one piece, and not as the many writes that it came as.
 */
export class Inbound {
  readonly #options: InboundOptions;
  /** Bytes of DATA so far. */
  received = 0;
  #passedOn = 0;
  #limit = WINDOW_BYTES;
  #acknowledged = 0;
  #isWatching = false;
  readonly #backlog = new Backlog();
  /** The client has sent its last byte. */
  isFinished = false;

  constructor(options: InboundOptions) {
    this.#options = options;
  }

  /** So many bytes have come. Throws CREDIT_EXCEEDED for more than there was credit for, PROTOCOL_ERROR behind FIN. */
  receive(count: number): void {
    if (this.isFinished) throw protocolFault('DATA after FIN');
    if (this.received + count > this.#limit) throw new GatewayError('CREDIT_EXCEEDED');
    this.received += count;
  }

  /** Passes on what has come, and gives credit for it, once it is taken. */
  write(bytes: Buffer): void {
    const { sink } = this.#options;
    const isBehind = this.#backlog.length > 0 || (this.#isWatching && sink.isBusy);
    if (isBehind) this.#keep(bytes);
    // Behind what waits it may wait for longer than it lies where it does.
    else sink.write(sink.isBusy ? Buffer.from(bytes) : bytes);
    this.#acknowledge();
    this.#watch();
  }

  /** Writes what waits, whether or not the service is slow. */
  flush(): void {
    const bytes = this.#backlog.take();
    if (bytes === undefined) return;
    this.#options.sink.write(bytes);
    // Known at once whether it is taken: what comes next waits behind it.
    this.#options.sink.flush();
  }

  /** The client sends no more. */
  finish(): void {
    this.flush();
    this.isFinished = true;
  }

  #keep(bytes: Buffer): void {
    this.#backlog.add(bytes);
    if (this.#backlog.length >= SLOW_BYTES) this.#options.sink.fillUp();
  }

  #acknowledge(): void {
    const { acknowledges, send } = this.#options;
    if (acknowledges && this.received - this.#acknowledged >= ACK_BYTES) {
      this.#acknowledged = this.received;
      send({ type: 'ACK', offset: this.received });
    }
  }

  /** Credit given so far counts no more: returns what holds now, beyond what has been received. */
  renew(): number {
    this.#acknowledged = this.received;
    this.#limit = this.#passedOn + WINDOW_BYTES;
    return this.#limit - this.received;
  }

  /** Learns when what has come by now is out of this process: at each half of a window, and all the time while the service is slow. */
  #watch(): void {
    const { sink } = this.#options;
    const waiting = this.received - this.#passedOn;
    // Behind a FIN nothing can be asked of it, and nobody needs credit.
    if (this.#isWatching || this.isFinished || !sink.isOpen || waiting === 0) return;
    if (!sink.isBusy && waiting < HALF_WINDOW) return;
    this.#isWatching = true;
    const upTo = this.received;
    sink.whenOut((error) => {
      this.#isWatching = false;
      if (error) return;
      this.#passedOn = upTo;
      sink.progressed();
      this.flush();
      this.#grant();
      this.#watch();
    });
  }

  #grant(): void {
    const limit = this.#passedOn + WINDOW_BYTES;
    const credit = limit - this.#limit;
    if (credit < HALF_WINDOW) return;
    this.#limit = limit;
    this.#options.send({ type: 'WINDOW', credit });
  }
}
