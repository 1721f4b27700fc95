import { GatewayError } from '../../errors.ts';
import type { HttpRequest } from '../../upstream/client.ts';
import { type AttemptParts, type Outcome, sendUntilTaken } from './attempt.ts';
import { Outbox, type Pressure } from './outbox.ts';
import { type Batch, type Message, NOTHING, type Sends } from './profile.ts';
import { bringReply } from './reply.ts';

export interface SenderParts extends AttemptParts {
  /** Undefined: the service takes no messages. */
  readonly sends: Sends | undefined;
  /** Names the session in the Idempotency-Key of its messages. */
  readonly connection: string;
  /** Bytes of messages that may wait to be sent. */
  readonly queueSize: number;
  readonly pressure: Pressure;
  /** Brings to the client what was answered. Resolves when it has it. */
  take(batch: Batch): Promise<boolean>;
  /** The session cannot go on. */
  onFailure(thrown: unknown): void;
}

/** Requests of one session at a time, whatever its lanes. */
const MOST_REQUESTS = 64;

/** A message where none is taken. */
const LISTENERS_ONLY = {
  sentence: 'Messages are not accepted here: clients may only listen.',
  detail: 'the route has no `send`',
};

/** The service wants to hear nothing more. */
const UNWANTED: Outcome = { kind: 'refused', batch: NOTHING };

/** Messages that wait for one another. */
interface Lane {
  readonly name: string;
  readonly waiting: Message[];
  /** Requests under way. */
  active: number;
  /** Resolves when the client has the answers to all that came before. */
  answered: Promise<unknown>;
}

/**
 * Sends the client's messages: as many at a time as the profile says, the others wait. A message that comes when nothing
 * is under way goes at once.
 *
 *     open → ending (nothing more is taken, what waits is sent) → over (all is sent, or nothing can be)
 */
export class Sender {
  readonly #parts: SenderParts;
  readonly #outbox: Outbox;
  readonly #lanes = new Map<string, Lane>();
  /** Aborts: nothing is sent any more. */
  readonly #sending = new AbortController();
  /** Gives up what the service may hold. */
  readonly #held = new AbortController();
  /** For whoever waits for the end. */
  #onOver: (() => void) | undefined;
  #requests = 0;
  /** Those whose place is taken: until the client has what was answered. */
  #active = 0;
  /** Those that the service has not answered. */
  #unanswered = 0;
  #taken = 0;
  #accepted = 0;
  #isNudged = false;
  #isEnding = false;
  #hasFailed = false;

  constructor(parts: SenderParts) {
    this.#parts = parts;
    this.#outbox = new Outbox(parts.queueSize, parts.pressure);
  }

  /** Messages of the client that the service has not accepted, as far as it is known. */
  get undelivered(): number {
    return this.#taken - this.#accepted;
  }

  /** Takes a message of the client; what comes after the end is counted only. */
  push(message: Message): void {
    this.#taken++;
    if (this.#isEnding) return;
    const { sends } = this.#parts;
    if (sends === undefined) {
      this.#fail(new GatewayError('UNSUPPORTED_DATA', LISTENERS_ONLY));
      return;
    }
    const lane = this.#laneOf(sends.lane?.(message) ?? '');
    this.#outbox.push(message, lane.waiting);
    this.#pump(lane);
  }

  /** Has a request sent without messages if none is under way, or as soon as none is. */
  nudge(): void {
    this.#isNudged = true;
    this.#settle();
  }

  /** Nothing more comes. Resolves when what was taken is sent, or nothing is sent any more. Call it once. Never rejects. */
  end(): Promise<void> {
    this.#isEnding = true;
    this.#outbox.close();
    this.#held.abort();
    return new Promise((resolve) => {
      this.#onOver = resolve;
      this.#settle();
    });
  }

  /** Nothing is sent any more, not even again. Again is a no-op. */
  stop(): void {
    this.#sending.abort();
    this.#held.abort();
    this.#settle();
  }

  get #isStopped(): boolean {
    return this.#hasFailed || this.#sending.signal.aborted;
  }

  #laneOf(name: string): Lane {
    const known = this.#lanes.get(name);
    if (known !== undefined) return known;
    const lane = { name, waiting: [], active: 0, answered: Promise.resolve() };
    this.#lanes.set(name, lane);
    return lane;
  }

  /** Starts what may be started of a lane. */
  #pump(lane: Lane): void {
    const { sends } = this.#parts;
    if (sends === undefined) return;
    while (lane.waiting.length > 0 && lane.active < sends.concurrency && this.#active < MOST_REQUESTS) {
      if (this.#isStopped) return;
      const count = Math.max(1, sends.batch?.(lane.waiting) ?? 1);
      this.#start(sends, lane, count);
    }
  }

  #start(sends: Sends, lane: Lane, count: number): void {
    lane.active++;
    this.#active++;
    this.#unanswered++;
    this.#isNudged = false;
    // What makes room lets others come, who must find this place taken.
    void this.#run(sends, lane, this.#outbox.take(lane.waiting, count));
  }

  async #run(sends: Sends, lane: Lane, messages: readonly Message[]): Promise<void> {
    const turn = isOrdered(sends) ? takeTurn(lane) : undefined;
    try {
      const outcome = await this.#send(sends, lane, messages);
      await turn?.before;
      await bringReply(outcome, sends, this.#parts.take);
    } catch (thrown) {
      if (!this.#isGivenUp(sends, lane)) this.#fail(thrown);
    }
    turn?.end();
    lane.active--;
    this.#active--;
    this.#onDone(lane);
  }

  async #send(sends: Sends, lane: Lane, messages: readonly Message[]): Promise<Outcome> {
    const { connection } = this.#parts;
    const { signal } = lane.name === sends.heldLane ? this.#held : this.#sending;
    try {
      const seq = ++this.#requests;
      const request = sends.send(messages, seq);
      if (request === undefined) return UNWANTED;
      const sending = { request: keyed(request, connection, seq), sends };
      const outcome = await sendUntilTaken(sending, this.#parts, signal);
      this.#accepted += messages.length;
      return outcome;
    } catch (thrown) {
      if (this.#isGivenUp(sends, lane)) this.#accepted += messages.length;
      throw thrown;
    } finally {
      this.#unanswered--;
      this.#settle();
    }
  }

  /** What was held is over with the session, and not missed. */
  #isGivenUp({ heldLane }: Sends, { name }: Lane): boolean {
    return this.#isEnding && name === heldLane;
  }

  #onDone(lane: Lane): void {
    if (lane.active === 0 && lane.waiting.length === 0) this.#lanes.delete(lane.name);
    this.#pump(lane);
    // Others may have waited for a place of this one's.
    for (const other of this.#lanes.values()) {
      if (this.#active >= MOST_REQUESTS) break;
      this.#pump(other);
    }
    this.#settle();
  }

  /** Does what has waited for the requests under way: the one that was asked for, or the end. */
  #settle(): void {
    const { sends } = this.#parts;
    const isAllSent = this.#outbox.count === 0 || this.#isStopped;
    if (this.#isEnding && isAllSent && this.#unanswered === 0) this.#onOver?.();
    if (this.#isNudged && !this.#isEnding && !this.#isStopped && this.#active === 0 && sends)
      this.#start(sends, this.#laneOf(''), 0);
  }

  #fail(thrown: unknown): void {
    this.#hasFailed = true;
    this.#parts.onFailure(thrown);
    this.#settle();
  }
}

/** The `seq`th request of a session, with what a service may tell it by if it comes again. */
export function keyed(request: HttpRequest, connection: string, seq: number): HttpRequest {
  return { ...request, headers: { ...request.headers, 'idempotency-key': `${connection}:${seq}` } };
}

/** One at a time is in order anyway. */
function isOrdered({ inOrder, concurrency }: Sends): boolean {
  return inOrder && concurrency > 1;
}

/** A place behind all answers of a lane that come before: `end` lets the next one go. */
function takeTurn(lane: Lane): { readonly before: Promise<unknown>; end(): void } {
  const before = lane.answered;
  const { promise, resolve: end } = Promise.withResolvers<void>();
  lane.answered = promise;
  return { before, end };
}
