import type { GenericConfig } from '../../../config/poll/index.ts';
import type { AnswerHead } from '../../../upstream/streamed-answer.ts';
import { type Batch, type EventReader, type Message, NOTHING } from '../profile.ts';
import { type CursorRules, type Cursors, hasMoved } from './cursor.ts';
import { invalid } from './invalid.ts';
import { compileItems, type Item, type ItemReader } from './items.ts';

/** A session's cursors. */
export interface CursorHolder {
  cursors: Cursors;
  readonly initialCursors: Cursors;
}

/** A service that has forgotten a cursor is not asked at once. */
export const RESET_WAIT_MS = 1_000;

/**
 * Compiles the readers of streamed bodies: each event a message, and with it a cursor. What one piece of a body brings is
 * one batch. `limit` is the bytes of the largest event.
 */
export function compileStreaming(
  framing: GenericConfig['messages'],
  limit: number,
  rules?: CursorRules,
): (head: AnswerHead, holder: CursorHolder) => EventReader {
  const itemsOf = compileItems(framing, limit);
  return function reader(head, holder) {
    if (framing.framing === 'sse') checkType(head);
    const items = itemsOf();
    return rules ? new CursorReader({ head, holder, items, rules }) : plainReader(items);
  };
}

/** A page of whatever else would be read as a stream without an event. */
function checkType({ headers }: AnswerHead): void {
  const type = headers['content-type'] ?? 'text/event-stream';
  if (!/^text\/event-stream\s*(;|$)/i.test(type))
    throw invalid('the answer is no event stream: see its Content-Type');
}

function plainReader(items: ItemReader): EventReader {
  const batches = (found: readonly Item[]) => {
    const messages = messagesOf(found);
    return messages.length === 0 ? [] : [{ ...NOTHING, messages }];
  };
  return {
    push: (piece) => batches(items.push(piece)),
    end: () => [...batches(items.end()), ...retryOf(items.retryMs)],
  };
}

interface CursorReaderParts {
  readonly head: AnswerHead;
  readonly holder: CursorHolder;
  readonly items: ItemReader;
  readonly rules: CursorRules;
}

/** Follows the cursors of a stream, event by event. */
class CursorReader implements EventReader {
  readonly #parts: CursorReaderParts;
  #now: Cursors;
  /** The service does not know the cursor any more: what comes behind that is not looked at. */
  #isReset = false;

  constructor(parts: CursorReaderParts) {
    this.#parts = parts;
    this.#now = parts.holder.cursors;
  }

  push(piece: Buffer): Batch[] {
    return this.#isReset ? [] : this.#batchOf(this.#parts.items.push(piece));
  }

  end(): Batch[] {
    const { items } = this.#parts;
    const last = this.#isReset ? [] : this.#batchOf(items.end());
    return [...last, ...retryOf(this.#isReset ? RESET_WAIT_MS : items.retryMs)];
  }

  #batchOf(items: readonly Item[]): Batch[] {
    const before = this.#now;
    const messages = items.flatMap((item) => this.#messageOf(item) ?? []);
    const now = this.#now;
    const isMoved = hasMoved(now, before);
    if (messages.length === 0 && !isMoved) return [];
    return [{ messages, cursor: isMoved ? 'moved' : 'unmoved', commit: () => this.#commit(now) }];
  }

  #messageOf(item: Item): Message | undefined {
    if (this.#isReset) return undefined;
    const { head, holder, rules } = this.#parts;
    const place = { ...head, items: [item], document: () => item.value };
    const target = rules.reset(place, this.#now, holder.initialCursors);
    this.#isReset = target !== undefined;
    if (target !== undefined) {
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

function messagesOf(items: readonly Item[]): Message[] {
  return items.flatMap(({ message }) => message ?? []);
}

/** `retry:` is the wish to be left alone for so long once the stream has ended. */
function retryOf(waitMs: number | undefined): Batch[] {
  return waitMs === undefined ? [] : [{ ...NOTHING, waitMs }];
}
