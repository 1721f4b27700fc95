import { decodeMessage } from '../tcp-protocol/decode.ts';
import { encodeMessage } from '../tcp-protocol/encode.ts';
import {
  ACK_BYTES,
  type Opened,
  type Standing,
  type TcpMessage,
  TcpProtocolError,
} from '../tcp-protocol/types.ts';
import { ConnectionError } from './errors.ts';
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
  onLost(forMs: number): void;
  /** The service has sent all it had. */
  onFinished(): void;
  /** It is over: well, or with an error. */
  onEnd(error?: ConnectionError): void;
}

/**
 * One TCP connection, seen from the client.
 *
 *     opening ──OPENED──▶ open ──FIN both ways──▶ over
 *        └──FAILED, Close──▶ over ◀──RESET, Close──┘ ⇄ lost (where it can be resumed)
 */
export class V1Connection implements WireEvents {
  readonly #events: V1Events;
  readonly #inbound: Inbound;
  readonly #outbound = new Outbound((data) => this.#send({ type: 'DATA', data }));
  #wire: Wire;
  #opened: Opened | undefined;
  #state: 'opening' | 'open' | 'lost' | 'over' = 'opening';
  /** Nothing more can be written. */
  isFinishing = false;
  #isFinSent = false;
  #hasFin = false;

  constructor(wire: Wire, inbound: Inbound, events: V1Events) {
    this.#wire = wire;
    this.#events = events;
    this.#inbound = inbound;
    inbound.events = {
      grant: (credit) => this.#send({ type: 'WINDOW', credit }),
      acknowledge: (offset) => this.#send({ type: 'ACK', offset }),
    };
    wire.listen(this);
  }

  /** Nothing more is written, and what still comes is dropped. */
  close(): void {
    this.finish();
    this.#inbound.end();
  }

  /** Resolves when all of it is on its way. */
  write(bytes: Uint8Array): Promise<void> {
    return this.#outbound.write(bytes);
  }

  /** Nothing more will be written: FIN goes behind what was. */
  finish(): void {
    this.isFinishing = true;
    this.#sendFin();
  }

  /** Breaks the connection in both directions. */
  reset(code: number, text: string): void {
    this.#send({ type: 'RESET', code, error: '', text });
    this.#wire.close(code, text);
    this.end(new ConnectionError(code, text));
  }

  /** A new token. */
  authenticate(accessToken: string): void {
    this.#send({ type: 'AUTH', accessToken });
  }

  /** Goes on over another wire, which has been asked for with `sallyport.tcp.resume`. */
  resume(wire: Wire): void {
    const { received: offset, credit } = this.#inbound;
    const { resumeId } = this.#opened as Opened;
    wire.socket.send(encodeMessage({ type: 'RESUME', resumeId, offset, credit }));
    this.#wire = wire;
    this.#inbound.resume();
    wire.listen(this);
  }

  /** It is over, and will not go on. */
  end(error?: ConnectionError): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#events.onEnd(error);
  }

  onMessage(data: string | ArrayBuffer): void {
    if (this.#state === 'over') return;
    try {
      if (typeof data === 'string') throw new TcpProtocolError('a text');
      this.#onMessage(decodeMessage(new Uint8Array(data)));
    } catch (error) {
      if (!(error instanceof TcpProtocolError)) throw error;
      this.reset(1002, error.message);
    }
  }

  onClose(error: ConnectionError): void {
    const { code } = error;
    const { resumeMs = 0 } = this.#opened ?? {};
    // Both directions are done with, and the gateway has closed.
    if (this.#hasFin && this.#isFinSent && code === 1000) this.end();
    else if (this.#state === 'over' || resumeMs === 0 || (code !== 1005 && code !== 1006)) this.end(error);
    else {
      this.#state = 'lost';
      this.#events.onLost(resumeMs);
    }
  }

  #onMessage(message: TcpMessage): void {
    const { type } = message;
    if (type === 'FAILED' || type === 'RESET') {
      this.end(new ConnectionError(message.code, message.text, message.error));
      return;
    }
    const expected = type === 'OPENED' ? 'opening' : type === 'RESUMED' ? 'lost' : 'open';
    if (this.#state !== expected) throw new TcpProtocolError(`${type} while ${this.#state}`);
    if (type === 'DATA') this.#onData(message.data);
    else if (type === 'FIN') this.#onFin();
    else if (type === 'WINDOW') this.#outbound.grant(message.credit);
    else if (type === 'ACK') this.#outbound.acknowledge(message.offset);
    else if (type === 'OPENED') this.#onOpened(message);
    else if (type === 'RESUMED') this.#onResumed(message);
    else if (type !== 'AUTH_OK') throw new TcpProtocolError(`${type} of a gateway`);
    if ('expiresAt' in message) this.#events.onExpiry(message.expiresAt);
    this.#sendFin();
  }

  #onOpened(opened: Opened): void {
    this.#opened = opened;
    this.#state = 'open';
    if (opened.resumeMs > 0) {
      this.#outbound.keeps = true;
      this.#inbound.ackBytes = ACK_BYTES;
    }
    this.#events.onOpened(opened);
  }

  #onResumed({ offset, credit }: Standing): void {
    this.#state = 'open';
    this.#isFinSent = false;
    this.#outbound.resume(offset, credit);
  }

  #onData(data: Uint8Array): void {
    if (this.#hasFin) throw new TcpProtocolError('DATA after FIN');
    if (!this.#inbound.add(data)) this.reset(1008, 'beyond the window');
  }

  #onFin(): void {
    // After a resumption it may come again.
    if (this.#hasFin) return;
    this.#hasFin = true;
    this.#inbound.end();
    this.#events.onFinished();
  }

  /** Behind all that was written. */
  #sendFin(): void {
    if (!this.isFinishing || this.#isFinSent || this.#state !== 'open' || !this.#outbound.isEmpty) return;
    this.#send({ type: 'FIN' });
    this.#isFinSent = true;
  }

  #send(message: TcpMessage): void {
    if (this.#state === 'open') this.#wire.socket.send(encodeMessage(message));
  }
}
