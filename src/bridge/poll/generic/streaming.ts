import type { GenericConfig } from '../../../config/poll/index.ts';
import type { AnswerHead } from '../../../upstream/streamed-answer.ts';
import { type Batch, type EventReader, type Message, NOTHING } from '../profile.ts';
import { isEventStream } from '../verdict.ts';
import { type CursorRules, type Cursors, hasMoved } from './cursor.ts';
import { NO_MORE } from './end.ts';
import type { Evidence } from './evidence.ts';
import { invalid, typeIn } from './invalid.ts';
import { compileItems, type Item, type ItemReader } from './items.ts';

/** A session's cursors. */
export interface CursorHolder {
  cursors: Cursors;
  readonly initialCursors: Cursors;
}

/** What is looked for in the events beside messages. */
interface FollowedRules {
  readonly rules?: CursorRules | undefined;
  isLast?(event: Evidence): boolean;
}

/** A service that has forgotten a cursor is not asked at once. */
export const RESET_WAIT_MS = 1_000;

/**
 * Compiles the readers of streamed bodies: each event a message, and with it a cursor. What one piece of a body brings is
 * one batch. `limit` is the bytes of the largest event; what `isLast` says of an event ends the session behind it.
 */
export function compileStreaming(
  framing: GenericConfig['messages'],
  limit: number,
  { rules, isLast = () => false }: FollowedRules = {},
): (head: AnswerHead, holder: CursorHolder) => EventReader {
  const itemsOf = compileItems(framing, limit);
  return function reader(head, holder) {
    if (framing.framing === 'sse') {
      // So an event stream says that there will be no more (WHATWG HTML §9.2.3).
      if (head.status === 204) return { push: () => [], end: () => [{ ...NOTHING, end: NO_MORE }] };
      checkType(head);
    }
    const batches = rules ? new FollowedStream({ head, holder, rules }).batches : plainBatches;
    const isLastItem = ({ value }: Item) => isLast({ ...head, document: () => value });
    return readerOf(itemsOf(), upTo(isLastItem, batches));
  };
}

type Batches = (items: readonly Item[]) => Batch[];

/** Nothing comes behind the item that says so. */
function upTo(isLast: (item: Item) => boolean, read: Batches): Batches {
  return function batches(items) {
    const last = items.findIndex(isLast);
    if (last < 0) return read(items);
    return [...read(items.slice(0, last + 1)), { ...NOTHING, end: NO_MORE }];
  };
}

/** A page of whatever else would be read as a stream without an event. */
function checkType({ headers }: AnswerHead): void {
  if (headers['content-type'] !== undefined && !isEventStream({ headers }))
    throw invalid(`the answer has ${typeIn(headers)}, and is no event stream`);
}

/** Takes items apart, and says what the service has asked for as soon as it has. */
function readerOf(items: ItemReader, read: Batches): EventReader {
  let told: number | undefined;

  function bring(found: readonly Item[]): Batch[] {
    const batches = read(found);
    if (items.retryMs === told) return batches;
    told = items.retryMs;
    return [...batches, { ...NOTHING, retryMs: told }];
  }

  return { push: (piece) => bring(items.push(piece)), end: () => bring(items.end()) };
}

function plainBatches(items: readonly Item[]): Batch[] {
  const messages = items.flatMap(({ message }) => message ?? []);
  return messages.length === 0 ? [] : [{ ...NOTHING, messages }];
}

interface FollowedParts {
  readonly head: AnswerHead;
  readonly holder: CursorHolder;
  readonly rules: CursorRules;
}

/** Follows the cursors of a stream, event by event. */
class FollowedStream {
  readonly #parts: FollowedParts;
  #now: Cursors;
  /** The service does not know the cursor any more: what comes behind that is not looked at. */
  #isReset = false;

  constructor(parts: FollowedParts) {
    this.#parts = parts;
    this.#now = parts.holder.cursors;
  }

  readonly batches = (items: readonly Item[]): Batch[] => {
    const before = this.#now;
    const messages = items.flatMap((item) => this.#messageOf(item) ?? []);
    const now = this.#now;
    const isMoved = hasMoved(now, before);
    if (messages.length === 0 && !isMoved) return [];
    const waitMs = this.#isReset ? RESET_WAIT_MS : undefined;
    return [{ messages, cursor: isMoved ? 'moved' : 'unmoved', commit: () => this.#commit(now), waitMs }];
  };

  #messageOf(item: Item): Message | undefined {
    if (this.#isReset) return undefined;
    const { head, holder, rules } = this.#parts;
    const place = { ...head, items: [item], document: () => item.value };
    const target = rules.reset(place, this.#now, holder.initialCursors);
    if (target !== undefined) {
      this.#isReset = true;
      this.#now = target;
      return undefined;
    }
    const { next, isStale } = rules.move(place, this.#now, holder.initialCursors);
    this.#now = next;
    return isStale ? undefined : item.message;
  }

  #commit(now: Cursors): void {
    this.#parts.holder.cursors = now;
  }
}
