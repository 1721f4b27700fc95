import { decodeMessage } from '../tcp-protocol/decode.ts';
import { encodeMessage } from '../tcp-protocol/encode.ts';
import {
  ACK_BYTES,
  type Opened,
  type TcpMessage,
  TcpProtocolError,
  WINDOW_BYTES,
} from '../tcp-protocol/types.ts';
import { asError, ConnectionError } from './errors.ts';
import { Inbound } from './inbound.ts';
import { Outbound } from './outbound.ts';
import type { Wire } from './wire.ts';

/** What a connection asks of whoever has it. */
export interface ConnectionEvents {
  /** The token that holds ends then; 0: it does not. */
  onExpiry(expiresAt: number): void;
  /** The WebSocket was lost, and for so many milliseconds the connection may go on over another: see `open`. */
  onLost(forMs: number): void;
  /** It is over: well, or with an error. */
  onEnd(error?: ConnectionError): void;
}

/**
 * One TCP connection, seen from the client.
 *
 *     opening ──OPENED──▶ open ──FIN both ways, or ours and Close──▶ over
 *        └──end──▶ over ◀──RESET, Close──┘ ⇄ lost (where it can be resumed)
 */
export class Connection {
  readonly #events: ConnectionEvents;
  readonly #allowHalfOpen: boolean | undefined;
  readonly #send = (message: TcpMessage): boolean => {
    if (this.#state !== 'open') return false;
    // A Close is a FIN, and says that nothing more is wanted.
    if (message.type === 'FIN' && this.#isClosing) this.#wire?.close();
    else this.#wire?.socket.send(encodeMessage(message));
    return true;
  };
  /** Whoever uses it breaks it. */
  readonly abort = (reason: unknown): void => this.reset(asError(reason, 1000));
  /** It is over, and will not go on. */
  readonly end = (error?: ConnectionError): void => {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#answer?.reject(error);
    this.outbound.fail(error);
    this.inbound.end(error);
    this.#events.onEnd(error);
  };
  readonly inbound = new Inbound(this.#send, this.abort);
  readonly outbound = new Outbound(this.#send, this.abort);
  #wire: Wire | undefined;
  /** What the gateway owes: OPENED, RESUMED or AUTH_OK. */
  #answer: PromiseWithResolvers<Opened> | undefined;
  #opened: Opened | undefined;
  #state: 'opening' | 'open' | 'lost' | 'over' = 'opening';
  #isClosing = false;
  #hasFin = false;

  constructor(allowHalfOpen: boolean | undefined, events: ConnectionEvents) {
    this.#allowHalfOpen = allowHalfOpen;
    this.#events = events;
  }

  /** Begins over a WebSocket, or goes on over one that was asked for with `sallyport.tcp.resume`. Resolves when the gateway does so, too. */
  open(wire: Wire): Promise<Opened> {
    if (this.#opened !== undefined) {
      const { resumeId } = this.#opened;
      wire.socket.send(encodeMessage({ type: 'RESUME', resumeId, ...this.inbound.resume() }));
    }
    this.#wire = wire;
    const answer = Promise.withResolvers<Opened>();
    this.#answer = answer;
    wire.listen({
      onMessage: (data) => {
        if (wire === this.#wire) this.#hear(data as string | ArrayBuffer);
      },
      onClose: (error) => {
        if (wire === this.#wire) this.lose(error);
      },
    });
    return answer.promise;
  }

  /** Finishes what is written, and drops what still comes. */
  close(): void {
    this.#isClosing = true;
    this.inbound.end();
    this.outbound.finish();
    if (this.outbound.isFinSent) this.#send({ type: 'FIN' });
  }

  /** Breaks it in both directions. */
  reset(error: ConnectionError): void {
    const { code, message } = error;
    this.#send({ type: 'RESET', code, error: '', text: message });
    this.#wire?.close(code, message);
    this.end(error);
  }

  /** A new token. Resolves when the gateway has accepted it; a connection that is resumed brings its own. */
  authenticate(accessToken: string): Promise<unknown> | undefined {
    if (this.#state !== 'open') return undefined;
    this.#answer = Promise.withResolvers();
    this.#send({ type: 'AUTH', accessToken });
    return this.#answer.promise;
  }

  /** Nothing more is to be had over its WebSocket. */
  lose(error: ConnectionError): void {
    const { code } = error;
    const resumeMs = this.#opened?.resumeMs;
    this.#wire?.close();
    this.#wire = undefined;
    this.#answer?.reject(error);
    if (this.#state !== 'open') return;
    if (code === 1000 && (this.#hasFin || this.#isClosing)) this.end();
    else if (!resumeMs || code !== 1006) this.end(error);
    else {
      this.#state = 'lost';
      this.#events.onLost(resumeMs);
    }
  }

  #hear(data: string | ArrayBuffer): void {
    try {
      if (typeof data === 'string') throw new TcpProtocolError('a text');
      this.#onMessage(decodeMessage(new Uint8Array(data)));
    } catch (error) {
      this.reset(asError(error, 1002));
    }
  }

  #onMessage(message: TcpMessage): void {
    const { type } = message;
    if (type === 'FAILED' || type === 'RESET') {
      this.lose(new ConnectionError(message.code, message.text, message.error));
      return;
    }
    const expected = type === 'OPENED' ? 'opening' : type === 'RESUMED' ? 'lost' : 'open';
    if (this.#state !== expected) throw new TcpProtocolError(`${type} while ${this.#state}`);
    if (type === 'DATA' && !this.#hasFin) this.inbound.add(message.data);
    else if (type === 'FIN') this.#onFin();
    else if (type === 'WINDOW') this.outbound.grant(message.credit);
    else if (type === 'ACK') this.outbound.acknowledge(message.offset);
    else if ('expiresAt' in message) this.#onAnswer(message);
    else throw new TcpProtocolError(`${type} is not to come`);
  }

  /** OPENED, RESUMED or AUTH_OK. */
  #onAnswer(message: Extract<TcpMessage, { expiresAt: number }>): void {
    this.#state = 'open';
    // While nobody could be told, something may have been read.
    this.inbound.grant();
    if (message.type === 'OPENED') {
      this.#opened = message;
      if (message.resumeMs > 0) {
        this.outbound.keeps = true;
        this.inbound.ackBytes = ACK_BYTES;
      }
      this.outbound.resume(0, WINDOW_BYTES);
    }
    if (message.type === 'RESUMED') this.outbound.resume(message.offset, message.credit);
    this.#answer?.resolve(this.#opened as Opened);
    this.#events.onExpiry(message.expiresAt);
  }

  #onFin(): void {
    // After a resumption it may come again.
    if (this.#hasFin) return;
    this.#hasFin = true;
    this.inbound.end();
    if (!this.#allowHalfOpen) this.outbound.finish();
  }
}
