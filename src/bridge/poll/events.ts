import type { Batch, EventReader } from './profile.ts';

/** What a streamed answer has brought. */
export class Yield {
  messages = 0;
  hasMoved = false;
  /** Milliseconds the service wants to be left alone for once it has ended. */
  waitMs = 0;
  /** And once each of those that follow has. */
  retryMs: number | undefined;
  /** Nothing more is to come: there is no client any more, or it was the end. */
  isOver = false;

  add({ messages, cursor, waitMs, retryMs }: Batch): void {
    this.messages += messages.length;
    this.hasMoved ||= cursor === 'moved';
    this.waitMs = waitMs ?? this.waitMs;
    this.retryMs = retryMs ?? this.retryMs;
  }
}

/**
 * Brings the events of a body on while it comes. The next piece is read when the client has what the last one brought, all of
 * that at a time. `brought` is told as it comes, for a body may fail. Rejects as the body, the reader and `take` do.
 */
export async function bringEvents(
  body: AsyncIterable<Buffer>,
  reader: EventReader,
  take: (batch: Batch) => Promise<boolean>,
  brought = new Yield(),
): Promise<void> {
  async function bring(batches: readonly Batch[]): Promise<void> {
    if (batches.length === 0) return;
    const batch = joined(batches);
    brought.add(batch);
    brought.isOver = !(await take(batch));
  }
  for await (const piece of body) {
    await bring(reader.push(piece));
    if (brought.isOver) return;
  }
  await bring(reader.end());
}

/** Several batches as one, up to the end of the session. */
function joined(batches: readonly Batch[]): Batch {
  const [first] = batches;
  if (first !== undefined && batches.length === 1) return first;
  const last = batches.findIndex(({ end }) => end !== undefined);
  const all = last < 0 ? batches : batches.slice(0, last + 1);
  return {
    messages: all.flatMap(({ messages }) => messages),
    cursor: all.some(({ cursor }) => cursor === 'moved') ? 'moved' : (first?.cursor ?? 'none'),
    commit() {
      for (const batch of all) batch.commit();
    },
    end: all.at(-1)?.end,
    waitMs: all.findLast(({ waitMs }) => waitMs !== undefined)?.waitMs,
    retryMs: all.findLast(({ retryMs }) => retryMs !== undefined)?.retryMs,
  };
}
