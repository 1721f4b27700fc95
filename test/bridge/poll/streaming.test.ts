import { describe, expect, test } from 'vitest';
import { Backoff } from '../../../src/bridge/poll/backoff.ts';
import type { Batch, EventReader, Message, Streams } from '../../../src/bridge/poll/profile.ts';
import { keepStreaming } from '../../../src/bridge/poll/streaming.ts';
import { type Exchange, exchanges, pieces } from '../../support/exchanges.ts';
import { fastClock } from '../../support/poll-clock.ts';

/** A session whose messages come as the body of an answer, on a service that a test answers for. */

const SILENCE_MS = 20_000;

/** One batch a piece: `m` is a message, `>` moves the cursor, `w500` asks for a wait, `r500` for one from now on, `x` is the end. */
function readerOf(committed: string[]): EventReader {
  function batchOf(piece: Buffer): Batch {
    const text = String(piece);
    const messages: Message[] = text.includes('m') ? [{ data: text, binary: false }] : [];
    const wait = /w(\d+)/.exec(text)?.[1];
    const retry = /r(\d+)/.exec(text)?.[1];
    return {
      messages,
      cursor: text.includes('>') ? 'moved' : 'unmoved',
      commit: () => void committed.push(text),
      end: text.includes('x') ? { code: 4000, reason: 'enough' } : undefined,
      waitMs: wait === undefined ? undefined : Number(wait),
      retryMs: retry === undefined ? undefined : Number(retry),
    };
  }
  return { push: (piece) => [batchOf(piece)], end: () => [] };
}

interface Stand {
  readonly changes?: Partial<Streams>;
  readonly outageMs?: number;
  readonly codes?: Record<number, number>;
  /** Waits that are watched; the one after them never ends. */
  readonly waits?: number;
}

/** Answers one request after the other as `script` says. */
function stand(
  script: readonly ((exchange: Exchange, pass: (ms: number) => void) => void)[],
  given: Stand = {},
) {
  const { changes, outageMs, codes, waits = Infinity } = given;
  const { clock, slept, pass } = fastClock(waits);
  const steps = [...script];
  const { http, bodies } = exchanges((exchange) => steps.shift()?.(exchange, pass));
  const delivered: string[] = [];
  const committed: string[] = [];
  const aborting = new AbortController();
  const receives: Streams = {
    mode: 'stream',
    silenceMs: SILENCE_MS,
    answerSize: 100,
    repeats: true,
    poll: () => ({ method: 'GET', path: '/', headers: {} }),
    reader: () => readerOf(committed),
    ...changes,
  };
  async function take({ messages, commit, end }: Batch): Promise<boolean> {
    delivered.push(...messages.map(({ data }) => String(data)));
    commit();
    if (steps.length === 0 && waits === Infinity) aborting.abort();
    return end === undefined;
  }
  const backoff = new Backoff({ outageMs, holdMs: SILENCE_MS, clock });
  const over = keepStreaming({ http, codes, backoff, clock, take, receives }, aborting.signal);
  return { over, slept, bodies, delivered, committed, abort: () => aborting.abort() };
}

/** Runs until nothing moves any more, then lets go. */
async function settled({ over, abort }: ReturnType<typeof stand>): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
  abort();
  await over.catch(() => {});
}

describe('a stream', () => {
  test('is delivered while it comes, and committed event by event', async () => {
    const { over, delivered, committed } = stand([
      (asked) => asked.stream(pieces(['m1>', 'm2>', '>', 'm3x'])),
    ]);
    await over;
    expect(delivered).toEqual(['m1>', 'm2>', 'm3x']);
    expect(committed).toEqual(['m1>', 'm2>', '>', 'm3x']);
  });

  test('is not read on while the client does not take what it has brought', async () => {
    const read: string[] = [];
    async function* body() {
      for (const text of ['m1>', 'm2>', 'm3>']) {
        read.push(text);
        yield Buffer.from(text);
      }
    }
    const { http } = exchanges((asked) => asked.stream(body()));
    const { clock } = fastClock();
    const receives = {
      mode: 'stream',
      silenceMs: 1,
      answerSize: 1,
      repeats: true,
      poll: () => ({ method: 'GET', path: '/', headers: {} }),
      reader: () => readerOf([]),
    } as const;
    const taken = Promise.withResolvers<boolean>();
    const parts = {
      http,
      codes: undefined,
      backoff: new Backoff(),
      clock,
      take: () => taken.promise,
      receives,
    };
    const over = keepStreaming(parts, new AbortController().signal);
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
    expect(read).toEqual(['m1>']);
    taken.resolve(false);
    await over;
    expect(read).toEqual(['m1>']);
  });

  test('that ends the session is not followed', async () => {
    const { over, bodies } = stand([(asked) => asked.stream(pieces(['m1>', 'x', 'm2>']))]);
    await over;
    expect(bodies.length).toBe(1);
  });
});

describe('what follows a stream', () => {
  test.each([
    ['ended', undefined],
    ['was cut', 'broken'],
    ['fell silent', 'timeout'],
  ] as const)('that has moved the cursor and %s: the next at once', async (_, failure) => {
    const { over, slept, delivered } = stand([
      (asked) => asked.stream(pieces(['m1>'], failure)),
      (asked) => asked.stream(pieces(['m2>x'])),
    ]);
    await over;
    expect([slept, delivered]).toEqual([[], ['m1>', 'm2>x']]);
  });

  test('that brought nothing: a wait that grows', async () => {
    const nothing = (asked: Exchange) => asked.stream(pieces([]));
    const stream = stand([nothing, nothing, nothing, nothing], { waits: 4 });
    await settled(stream);
    expect(stream.slept).toEqual([2000, 4000, 4000, 4000]);
  });

  test('whose messages moved no cursor: a wait, unless it lasted', async () => {
    const stream = stand(
      [
        (asked) => asked.stream(pieces(['m1'])),
        (asked, pass) => {
          pass(1_000);
          asked.stream(pieces(['m2']));
        },
        (asked) => asked.stream(pieces(['m3'])),
      ],
      { waits: 2 },
    );
    await settled(stream);
    expect(stream.slept).toEqual([2000, 2000]);
    expect(stream.delivered).toEqual(['m1', 'm2', 'm3']);
  });

  test('that says how long to wait: that long, then and later', async () => {
    const stream = stand(
      [(asked) => asked.stream(pieces(['m1>', 'r700'])), (asked) => asked.stream(pieces(['m2>']))],
      { waits: 2 },
    );
    await settled(stream);
    expect(stream.slept).toEqual([700, 700]);
  });

  test('that takes its wish back: the next at once again', async () => {
    const { over, slept } = stand([
      (asked) => asked.stream(pieces(['m1>', 'r700'])),
      (asked) => asked.stream(pieces(['m2>', 'r0'])),
      (asked) => asked.stream(pieces(['m3>', 'x'])),
    ]);
    await over;
    expect(slept).toEqual([700]);
  });

  test('whose cursor was reset: a wait once, and none behind those that follow', async () => {
    const { over, slept } = stand([
      (asked) => asked.stream(pieces(['m1>', 'w1000>'])),
      (asked) => asked.stream(pieces(['m2>'])),
      (asked) => asked.stream(pieces(['m3>', 'x'])),
    ]);
    await over;
    expect(slept).toEqual([1000]);
  });

  test('that never began: the next at once after a silence, for that is no outage', async () => {
    const silence = (asked: Exchange, pass: (ms: number) => void) => {
      pass(SILENCE_MS);
      asked.fail('timeout');
    };
    const { over, slept, bodies } = stand([silence, silence, (asked) => asked.stream(pieces(['x']))], {
      outageMs: 1,
    });
    await over;
    expect([slept, bodies.length]).toEqual([[], 3]);
  });
});

describe('no stream', () => {
  test('but a connection that fails: tried again, until the outage is too long', async () => {
    const fail = (asked: Exchange) => asked.fail('unreachable', true);
    const { over, slept } = stand(Array(9).fill(fail), { outageMs: 1_000 });
    await expect(over).rejects.toMatchObject({ code: 'UPSTREAM_OUTAGE' });
    expect(slept).toEqual([250, 500, 250]);
  });

  test.each([
    [404, undefined, 1014],
    [403, undefined, 3003],
    [503, { 503: 4000 }, 4000],
  ])('but %i: the end', async (status, codes, close) => {
    const { over } = stand([(asked) => asked.stream(pieces(['sorry']), status)], { codes });
    await expect(over).rejects.toMatchObject({ code: 'SERVICE_REFUSED', close });
  });

  test('but a refusal that the profile knows how to go on from: its body is read, then a wait', async () => {
    const read: string[] = [];
    const changes = { resets: ({ body }: { body: Buffer }) => read.push(String(body)) > 0 };
    const { over, slept } = stand(
      [(asked) => asked.stream(pieces(['too ', 'old']), 410), (asked) => asked.stream(pieces(['x']))],
      { changes },
    );
    await over;
    expect([read, slept]).toEqual([['too old'], [2000]]);
  });

  test('but a refusal too large to be read: its status counts', async () => {
    const { over } = stand([(asked) => asked.stream(pieces(['x'.repeat(101)]), 410)]);
    await expect(over).rejects.toMatchObject({ code: 'SERVICE_REFUSED' });
  });

  test.each([
    ['unreachable', 'UPSTREAM_LOST'],
    ['timeout', 'UPSTREAM_TIMEOUT'],
    ['undecodable', 'UPSTREAM_INVALID'],
  ] as const)('where none may be asked for again: %s is %s', async (how, code) => {
    const { over } = stand([(asked) => asked.fail(how)], { changes: { repeats: false } });
    await expect(over).rejects.toMatchObject({ code });
  });
});
