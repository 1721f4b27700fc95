import { GatewayError } from '../../errors.ts';
import { Absence, isUnwanted, LOST } from '../absence.ts';
import { ClientEnd } from '../client-end.ts';
import { Closing, failed } from '../closing.ts';
import type { Aftermath, Ending, Link } from '../contract.ts';
import type { Conversation } from './conversation.ts';
import type { Pressure } from './outbox.ts';
import type { Message } from './profile.ts';
import { createPushes } from './pushes.ts';
import { type Receiver, Redelivery } from './redelivery.ts';
import { PollService } from './service.ts';

/** A client of a lingering session, while it has one. */
export interface Visitor extends Receiver, Pressure {
  /** How its own connection ends. */
  readonly closing: Closing;
}

export interface LingeringParts {
  readonly conversation: Conversation;
  /** The subprotocol of its clients. */
  readonly protocol: string | undefined;
  /** The endpoint it leads to. */
  readonly target: string;
  /** Milliseconds it waits for a client. */
  readonly forMs: number;
  /** Milliseconds its end may take. */
  readonly closeMs: number;
  /** Asks for a place to wait in; undefined if there is none, else the undo, to be called once. */
  park(): (() => void) | undefined;
  /** It is over, without a client: none came back in time, or it has ended in another way. */
  onOver(outcome: 'expired' | 'ended'): void;
}

/**
 * A session with a service that outlives its clients: behind the client's end of it there is one visitor after the other.
 * How a visitor's own connection ends is another story, with this session for its other end.
 *
 *     attended ⇄ away (for a time) → over
 */
export class LingeringSession {
  readonly push: NonNullable<Link['push']>;
  readonly #parts: LingeringParts;
  readonly #closing: Closing;
  readonly #client: ClientEnd;
  readonly #service: PollService;
  readonly #redelivery: Redelivery;
  readonly #absence: Absence;
  #visitor: Visitor | undefined;
  /** That, or the one that left. */
  #last: Visitor | undefined;
  #isFull = false;
  #hasBegun = false;

  constructor(parts: LingeringParts) {
    const { conversation, closeMs } = parts;
    const { queueSize, profile, clock } = conversation;
    this.#parts = parts;
    this.#absence = new Absence({ ...parts, clock });
    this.#redelivery = new Redelivery({ limit: queueSize, repeatsUnconfirmed: profile.confirms === true });
    this.#closing = new Closing({ closeMs, relaysClose: false });
    this.#service = new PollService({
      conversation,
      closing: this.#closing,
      pressure: { onFull: () => this.#onFull(), onRoom: () => this.#onRoom() },
      deliver: (messages) => this.#redelivery.deliver(messages),
      confirm: () => this.#redelivery.confirmed(),
      settled: () => this.#redelivery.settled(),
    });
    this.#client = new ClientEnd(this.#closing, (ending) => this.#onTold(ending));
    this.#closing.join(this.#client, this.#service);
    this.push = createPushes(queueSize, (messages) => this.#service.deliver(messages));
    void this.#closing.done.then((ending) => this.#onOver(ending));
  }

  /** Names it to the service. */
  get connection(): string {
    return this.#parts.conversation.connection;
  }
  get target(): string {
    return this.#parts.target;
  }
  get protocol(): string | undefined {
    return this.#parts.protocol;
  }

  /** Resolves when it is over. */
  get over(): Promise<unknown> {
    return this.#closing.done;
  }
  get hasClient(): boolean {
    return this.#visitor !== undefined;
  }
  /** Milliseconds it has been without a client. */
  get awayMs(): number {
    return this.#absence.ms;
  }
  /** Messages of its clients that the service has not accepted, as far as it is known. */
  get undelivered(): number {
    return this.#service.undelivered;
  }

  /** Of the last visitor, who has left: `lingers` of its connection's ending. Undefined for any other one. */
  absenceOf(visitor: Visitor): Promise<Aftermath | undefined> | undefined {
    return this.#visitor === undefined && this.#last === visitor ? this.#absence.ended : undefined;
  }

  /** A client that has received so many messages may go on with it. */
  canResume(received: number | undefined): boolean {
    return !this.#client.isTold && this.#redelivery.canResume(received);
  }

  /** A client is there; one that was there before, though it may not know of its end, is closed. False: it cannot go on. */
  enter(visitor: Visitor, received: number | undefined): boolean {
    if (!this.canResume(received)) return false;
    const before = this.#visitor;
    this.#visitor = visitor;
    this.#last = visitor;
    this.#absence.end();
    before?.closing.begin(failed(new GatewayError('RESUMED_ELSEWHERE')));
    if (this.#isFull) visitor.onFull();
    this.#redelivery.attach(visitor, received);
    return true;
  }

  /** Begins to receive and to send. Again is a no-op. */
  start(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#service.start();
  }

  /** A client is gone, with this ending: true if the session goes on without it. */
  leave(visitor: Visitor, ending: Ending): boolean {
    if (this.#visitor !== visitor) return true;
    if (!this.#client.isTold && isUnwanted(ending) && this.#absence.begin(() => this.end(LOST))) {
      this.#visitor = undefined;
      this.#redelivery.detach();
      return true;
    }
    this.end(ending);
    return false;
  }

  /** Takes a message of a client; false if it is not its client any more. */
  take(visitor: Visitor, message: Message): boolean {
    if (this.#visitor !== visitor) return false;
    this.#service.push(message);
    return true;
  }

  /** Ends it, whether or not it has a client. */
  end(ending: Ending): void {
    this.#closing.begin(ending);
  }

  /** Nothing more is sent to the service. */
  giveUp(): void {
    this.#service.release();
  }

  /** No more patience with anybody. */
  abandon(): void {
    this.#closing.destroy();
  }

  #onTold(ending: Ending): void {
    this.#redelivery.end();
    this.#visitor?.closing.begin(ending);
  }

  #onOver(ending: Ending): void {
    this.#absence.end({ ending, undelivered: this.undelivered });
    if (!this.hasClient) this.#parts.onOver(ending === LOST ? 'expired' : 'ended');
  }

  #onFull(): void {
    this.#isFull = true;
    this.#visitor?.onFull();
  }

  #onRoom(): void {
    this.#isFull = false;
    this.#visitor?.onRoom();
  }
}
