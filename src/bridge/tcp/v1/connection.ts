import type { Socket } from 'node:net';
import type { Grant } from '../../../admission/grant.ts';
import { GatewayError } from '../../../errors.ts';
import type { Standing, TcpMessage } from '../../../tcp-protocol/types.ts';
import { Absence, type AbsenceOptions, isUnwanted, LOST } from '../../absence.ts';
import { ClientEnd } from '../../client-end.ts';
import { Closing, failed } from '../../closing.ts';
import type { Aftermath, Destination, Ending } from '../../contract.ts';
import { TcpEnd } from '../tcp-end.ts';
import { Inbound } from './inbound.ts';
import { Outbound } from './outbound.ts';
import type { Visitor } from './visitor.ts';

export interface TcpConnectionParts extends AbsenceOptions {
  readonly socket: Socket;
  /** The endpoint it leads to. */
  readonly to: Destination;
  /** Names it in the gateway. */
  readonly connectionId: string;
  /** Whether a client with these claims comes to the same target. */
  readonly leadsHere: (claims: Grant['claims']) => boolean;
  /** It may wait for its client to come back. */
  readonly isResumable: boolean;
  /** Milliseconds that the service may leave our writes unread, and that its end may take. */
  readonly stallMs: number;
  readonly closeMs: number;
  /** It is over, without a client: none came back in time, or it has ended in another way. */
  onOver(outcome: 'expired' | 'ended'): void;
}

/**
 * A connection to a TCP service that outlives the WebSockets of its client: behind the client's end of it there is one visitor
 * after the other. How a visitor's own WebSocket ends is another story, with this connection for its other end.
 *
 *     attended ⇄ away (for a time) → over
 *     each direction: open → finished (FIN); both finished: concluded, and over once the client knows
 */
export class TcpConnection {
  readonly service: TcpEnd;
  readonly #parts: TcpConnectionParts;
  readonly #closing: Closing;
  readonly #client: ClientEnd;
  readonly #inbound: Inbound;
  readonly #outbound: Outbound;
  readonly #absence: Absence;
  #visitor: Visitor | undefined;
  /** That, or the one that left. */
  #last: Visitor | undefined;
  /** The service has sent its last byte, and the visitor has been told so. */
  #isServiceDone = false;
  #isFinSent = false;

  constructor(parts: TcpConnectionParts) {
    const { socket, stallMs, closeMs, isResumable } = parts;
    this.#parts = parts;
    this.#absence = new Absence(parts);
    this.#closing = new Closing({ closeMs, relaysClose: false });
    this.#outbound = new Outbound(isResumable);
    this.service = new TcpEnd({
      socket,
      session: { stallMs },
      take: (chunk) => this.#takeDown(chunk),
      beforeTold: () => this.#visitor?.flush(),
      onFinished: () => this.#onServiceDone(),
      events: this.#closing,
    });
    const { sink } = this.service;
    const send = (message: TcpMessage) => this.#visitor?.send(message);
    this.#inbound = new Inbound({ sink, acknowledges: isResumable, send });
    this.#client = new ClientEnd(this.#closing, (ending) => this.#onTold(ending));
    this.#closing.join(this.#client, this.service);
    void this.#closing.done.then((ending) => this.#onOver(ending));
  }

  get to(): Destination {
    return this.#parts.to;
  }
  get connectionId(): string {
    return this.#parts.connectionId;
  }
  get leadsHere(): TcpConnectionParts['leadsHere'] {
    return this.#parts.leadsHere;
  }
  get hasClient(): boolean {
    return this.#visitor !== undefined;
  }
  /** Milliseconds it has been without a client. */
  get awayMs(): number {
    return this.#absence.ms;
  }
  /** Resolves when it is over. */
  get over(): Promise<unknown> {
    return this.#closing.done;
  }
  /** The visitor has been told that the service sends no more. */
  get isFinSent(): boolean {
    return this.#isFinSent;
  }

  /** Of the last visitor, who has left: resolves when there is another, or it is over. Undefined for any other one. */
  absenceOf(visitor: Visitor): Promise<Aftermath | undefined> | undefined {
    return this.#visitor === undefined && this.#last === visitor ? this.#absence.ended : undefined;
  }

  /** Its first client is there: begins to read the service. */
  begin(visitor: Visitor): void {
    this.#visitor = visitor;
    this.#last = visitor;
    this.#outbound.attach(visitor);
    visitor.feed(this.service.sink);
    // What can be sent again is kept in memory of its own.
    if (!this.#parts.isResumable) visitor.takeFrom(this.service.source);
    this.service.start();
  }

  /** A client that stands there may go on with it. */
  canResume(standing: Standing): boolean {
    return !this.#client.isTold && this.#outbound.canResume(standing);
  }

  /**
   * A client is back; one that was there before, though it may not know of its end, is closed. Ask `canResume` before.
   * Throws PROTOCOL_ERROR for too much credit.
   */
  resume(visitor: Visitor, standing: Standing, expiresAt: number): void {
    const before = this.#visitor;
    this.#visitor = visitor;
    this.#last = visitor;
    this.#isFinSent = false;
    visitor.feed(this.service.sink);
    this.#absence.end();
    before?.closing.begin(failed(new GatewayError('RESUMED_ELSEWHERE')));
    const { received } = this.#inbound;
    visitor.send({ type: 'RESUMED', offset: received, credit: this.#inbound.renew(), expiresAt });
    this.#outbound.resume(visitor, standing);
    this.#goOn();
  }

  /** A client is gone, with this ending: true if the connection goes on without it. */
  leave(visitor: Visitor, ending: Ending): boolean {
    if (this.#visitor !== visitor) return true;
    if (!this.#client.isTold && isUnwanted(ending) && this.#absence.begin(() => this.end(LOST))) {
      this.#visitor = undefined;
      this.#outbound.detach();
      return true;
    }
    this.end(ending);
    return false;
  }

  /** So many bytes of the client have come. Throws as Inbound does. */
  receive(count: number): void {
    this.#inbound.receive(count);
  }

  /** Passes on what has come. Behind what waits it may wait for longer than it lies where it does: it is copied. */
  write(bytes: Buffer): void {
    if (this.service.isTold) return;
    const { sink } = this.service;
    sink.write(sink.isBusy ? Buffer.from(bytes) : bytes);
    this.#inbound.written();
  }

  /** The client sends no more. Again is a no-op. */
  finish(): void {
    if (this.#inbound.isFinished) return;
    this.#inbound.isFinished = true;
    this.service.finish(() => this.#goOn());
  }

  /** The client takes so many more bytes. Throws PROTOCOL_ERROR for too many. */
  grant(credit: number): void {
    this.#outbound.grant(credit);
    this.#goOn();
  }

  /** The client has all bytes before `offset`. Throws PROTOCOL_ERROR where it cannot. */
  acknowledge(offset: number): void {
    this.#outbound.acknowledge(offset);
    this.#goOn();
  }

  /** Ends it, whether or not it has a client. */
  end(ending: Ending): void {
    this.#closing.begin(ending);
  }

  /** No more patience with anybody. */
  abandon(): void {
    this.#closing.destroy();
  }

  #onTold(ending: Ending): void {
    // What the service still sends is for nobody: it is read to its end.
    this.service.source.release();
    this.#visitor?.closing.begin(ending);
  }

  #takeDown(chunk: Buffer): number {
    if (this.#client.isTold) return chunk.length;
    const taken = this.#outbound.offer(chunk);
    if (taken < chunk.length) this.service.source.hold();
    return taken;
  }

  #onServiceDone(): void {
    this.#isServiceDone = true;
    this.#goOn();
  }

  /** Does what has become possible: reads on, says FIN, concludes. */
  #goOn(): void {
    if (this.#client.isTold) return;
    const { source, isThrough } = this.service;
    if (this.#outbound.hasRoom) source.release();
    const visitor = this.#visitor;
    if (!this.#isServiceDone || !this.#outbound.isEmpty || !source.isEmpty || visitor === undefined) return;
    if (!this.#isFinSent) {
      this.#isFinSent = true;
      visitor.send({ type: 'FIN' });
    }
    if (isThrough) visitor.conclude();
  }

  #onOver(ending: Ending): void {
    this.#absence.end({ ending });
    if (!this.hasClient) this.#parts.onOver(ending === LOST ? 'expired' : 'ended');
  }
}
