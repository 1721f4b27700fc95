import { decodeMessage } from '../tcp-protocol/decode.ts';
import { encodeMessage } from '../tcp-protocol/encode.ts';
import { type Opened, type Reason, type TcpMessage, TcpProtocolError } from '../tcp-protocol/types.ts';
import { ConnectionError, describe } from './errors.ts';
import type { Inbound } from './inbound.ts';
import { Outbound } from './outbound.ts';
import type { Wire, WireEvents } from './wire.ts';

/** What a connection over `sallyport.tcp.v1` asks of whoever has it. */
export interface V1Events {
  /** The gateway has reached the service. */
  onOpened(opened: Opened): void;
  /** The token that holds ends then; 0: it does not. */
  onExpiry(expiresAt: number): void;
  /** The wire was lost, and for so many milliseconds the connection may go on with another: see `resume`. */
  onLost(error: ConnectionError, forMs: number): void;
  /** The service has sent all it had. */
  onFinished(): void;
  /** It is over: well, or with an error. */
  onEnd(error?: ConnectionError): void;
}

const PROTOCOL_ERROR = 1002;
const POLICY = 1008;
const GOING_ON: ReadonlySet<number> = new Set([1005, 1006]);

/**
 * One TCP connection, seen from the client.
 *
 *     opening ──OPENED──▶ open ──FIN both ways──▶ over
 *        └──FAILED, Close──▶ over ◀──RESET, Close──┘ ⇄ lost (where it can be resumed)
 */
export class V1Connection implements WireEvents {
  readonly #events: V1Events;
  readonly #inbound: Inbound;
  readonly #outbound: Outbound;
  #wire: Wire;
  #opened: Opened | undefined;
  #state: 'opening' | 'open' | 'lost' | 'over' = 'opening';
  #wantsFin = false;
  #isFinSent = false;
  #hasFin = false;

  constructor(wire: Wire, inbound: Inbound, events: V1Events) {
    this.#wire = wire;
    this.#events = events;
    this.#outbound = new Outbound((data) => this.#send({ type: 'DATA', data }));
    this.#inbound = inbound;
    inbound.events = {
      grant: (credit) => this.#send({ type: 'WINDOW', credit }),
      acknowledge: (offset) => this.#send({ type: 'ACK', offset }),
    };
    wire.listen(this);
  }

  /** Nothing more can be written. */
  get isFinishing(): boolean {
    return this.#wantsFin || this.#state === 'over';
  }

  /** Nothing more is written, and what still comes is dropped. */
  close(): void {
    this.finish();
    this.#inbound.drop();
  }

  /** What to say to go on with the connection. */
  get resumption(): TcpMessage {
    const { resumeId = new Uint8Array(16) } = this.#opened ?? {};
    const { received: offset, credit } = this.#inbound;
    return { type: 'RESUME', resumeId, offset, credit };
  }

  /** Resolves when all of it is on its way. */
  write(bytes: Uint8Array): Promise<void> {
    return this.#outbound.write(bytes);
  }

  /** Nothing more will be written: FIN goes behind what was. */
  finish(): void {
    this.#wantsFin = true;
    this.#sendFin();
  }

  /** Breaks the connection in both directions. */
  reset(code = 1000, text = ''): void {
    if (this.#state === 'over') return;
    this.#send({ type: 'RESET', code, error: '', text });
    this.#end(new ConnectionError(code, describe(code, text)));
    this.#wire.close(code, text.slice(0, 40));
  }

  /** A new token. */
  authenticate(accessToken: string): void {
    this.#send({ type: 'AUTH', accessToken });
  }

  /** Goes on over another wire, which has been asked for with `sallyport.tcp.resume`. */
  resume(wire: Wire): void {
    this.#wire = wire;
    wire.send(encodeMessage(this.resumption));
    this.#inbound.resume();
    wire.listen(this);
  }

  /** It will not go on. */
  giveUp(error: ConnectionError): void {
    this.#end(error);
  }

  onMessage(bytes: Uint8Array, isText: boolean): void {
    if (this.#state === 'over') return;
    try {
      if (isText) throw new TcpProtocolError('a text message');
      this.#onMessage(decodeMessage(bytes));
    } catch (error) {
      if (!(error instanceof TcpProtocolError)) throw error;
      this.reset(PROTOCOL_ERROR, error.message);
    }
  }

  onClose(error: ConnectionError): void {
    if (this.#state === 'over') return;
    // Both directions are done with, and the gateway has closed.
    const isDone = this.#hasFin && this.#isFinSent && error.code === 1000;
    const { resumeMs = 0 } = this.#opened ?? {};
    if (resumeMs > 0 && GOING_ON.has(error.code)) {
      this.#state = 'lost';
      this.#events.onLost(error, resumeMs);
      return;
    }
    this.#end(isDone ? undefined : error);
  }

  #onMessage(message: TcpMessage): void {
    if (message.type === 'FAILED' && this.#state !== 'open') this.#onReason(message);
    else if (this.#state === 'opening') this.#onFirst(message);
    else if (this.#state === 'lost') this.#onResumed(message);
    else this.#onNext(message);
  }

  #onFirst(message: TcpMessage): void {
    if (message.type !== 'OPENED') throw new TcpProtocolError(`${message.type} before OPENED`);
    this.#opened = message;
    this.#state = 'open';
    const mayResume = message.resumeMs > 0;
    this.#outbound.keeps = mayResume;
    this.#inbound.acknowledges = mayResume;
    this.#events.onOpened(message);
    this.#events.onExpiry(message.expiresAt);
  }

  #onResumed(message: TcpMessage): void {
    if (message.type !== 'RESUMED') throw new TcpProtocolError(`${message.type} before RESUMED`);
    this.#state = 'open';
    this.#isFinSent = false;
    this.#outbound.resume(message.offset, message.credit);
    this.#sendFin();
    this.#events.onExpiry(message.expiresAt);
  }

  #onNext(message: TcpMessage): void {
    switch (message.type) {
      case 'DATA':
        this.#onData(message.data);
        break;
      case 'FIN':
        this.#onFin();
        break;
      case 'WINDOW':
        this.#outbound.grant(message.credit);
        this.#sendFin();
        break;
      case 'ACK':
        this.#outbound.acknowledge(message.offset);
        this.#sendFin();
        break;
      case 'AUTH_OK':
        this.#events.onExpiry(message.expiresAt);
        break;
      case 'RESET':
        this.#onReason(message);
        break;
      default:
        throw new TcpProtocolError(`${message.type} of a gateway`);
    }
  }

  #onData(data: Uint8Array): void {
    if (this.#hasFin) throw new TcpProtocolError('DATA after FIN');
    if (!this.#inbound.add(data)) this.reset(POLICY, 'more than the window');
  }

  #onFin(): void {
    // After a resumption it may come again.
    if (this.#hasFin) return;
    this.#hasFin = true;
    this.#inbound.end();
    this.#events.onFinished();
  }

  #onReason({ code, error, text }: Reason): void {
    this.#end(new ConnectionError(code, describe(code, text), error));
  }

  #sendFin(): void {
    if (!this.#wantsFin || this.#isFinSent || this.#state !== 'open' || !this.#outbound.isEmpty) return;
    this.#isFinSent = true;
    this.#send({ type: 'FIN' });
  }

  #end(error?: ConnectionError): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    if (error !== undefined) this.#inbound.fail(error);
    this.#events.onEnd(error);
  }

  #send(message: TcpMessage): void {
    if (this.#state === 'open') this.#wire.send(encodeMessage(message));
  }
}
