import { setTimeout as sleep } from 'node:timers/promises';
import type { GuardObserver } from '../shared/guard.ts';
import { list, streamId, texts } from './answers.ts';
import type { RedisLink } from './link.ts';

/** A read waits so long for something new; shorter than what a connection that says nothing is given. */
const BLOCK_MS = 2_000;
const AT_ONCE = 50;
/** So long after a failure it is tried again, unless there is a connection before. */
const PAUSE_MS = 1_000;

const START = '0-0';

export interface EventsDeps {
  /** A connection of its own: whoever else asked on it would wait as long as a read does. */
  readonly link: RedisLink;
  /** That of the stream. */
  readonly key: string;
  /** What one process has told. */
  readonly onEvent: (from: string, text: string) => void;
  /**
   * Something may have been missed: at the start, and after each failure, before what is read next. What it rejects with is a
   * failure.
   */
  readonly onBegin: () => Promise<void>;
  readonly observer?: GuardObserver | undefined;
}

type Entry = [id: string, fields: readonly string[]];

/** Reads what all tell, as it comes, and after a failure from where it was. */
export class Events {
  readonly #deps: EventsDeps;
  readonly #closing = new AbortController();
  readonly #first = Promise.withResolvers<void>();
  /** The last one that was read; undefined: none yet. */
  #last: string | undefined;
  #wake = () => {};
  #isHearing = false;
  #beginning: Promise<void> | undefined;
  /** That it fails has been told. */
  #isTold = false;

  constructor(deps: EventsDeps) {
    this.#deps = deps;
    deps.link.onReady(() => this.#wake());
    void this.#run();
  }

  /** Resolves when it hears, for the first time. */
  get heard(): Promise<void> {
    return this.#first.promise;
  }

  /** What may have been missed is being read: resolves when it was, or could not be. Undefined: nothing is. */
  get beginning(): Promise<void> | undefined {
    return this.#beginning;
  }

  /** Nothing is missed, as far as is known. */
  get isHearing(): boolean {
    return this.#isHearing;
  }

  /** Ends what it reads; again is a no-op. */
  close(): void {
    this.#closing.abort();
    this.#deps.link.close();
  }

  async #run(): Promise<void> {
    await this.#deps.link.tried;
    while (!this.#isClosed) {
      try {
        await this.#beginOnce();
        while (!this.#isClosed) await this.#next('BLOCK', BLOCK_MS);
      } catch (cause) {
        this.#onFailure(cause);
        await this.#pause();
      }
    }
  }

  async #beginOnce(): Promise<void> {
    const begun = this.#begin();
    this.#beginning = begun.catch(() => undefined);
    await begun.finally(() => {
      this.#beginning = undefined;
    });
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** What was told before the first time is of no interest. A stream whose end is before what was read is another one. */
  async #begin(): Promise<void> {
    const { link, key, onBegin, observer } = this.#deps;
    const [newest] = entriesOf(await link.call('XREVRANGE', key, '+', '-', 'COUNT', 1));
    const end = newest?.[0] ?? START;
    if (this.#last === undefined) this.#last = end;
    else if (isBefore(end, this.#last)) this.#last = START;
    await onBegin();
    await this.#next();
    this.#first.resolve();
    this.#isHearing = true;
    if (this.#isTold) observer?.recovered();
    this.#isTold = false;
  }

  async #next(...wait: (string | number)[]): Promise<void> {
    const { link, key, onEvent } = this.#deps;
    const last = this.#last ?? START;
    const answer = await link.call('XREAD', 'COUNT', AT_ONCE, ...wait, 'STREAMS', key, last);
    const [stream] = list(answer ?? []);
    if (stream === undefined) return;
    for (const [id, fields] of entriesOf(list(stream)[1])) {
      this.#last = id;
      const [, from = '', , text = ''] = fields;
      onEvent(from, text);
    }
  }

  #onFailure(cause: unknown): void {
    this.#isHearing = false;
    if (!this.#isTold && !this.#isClosed) this.#deps.observer?.failed(cause);
    this.#isTold = true;
  }

  async #pause(): Promise<void> {
    const over = new AbortController();
    this.#wake = () => over.abort();
    const signal = AbortSignal.any([over.signal, this.#closing.signal]);
    await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    this.#wake = () => {};
  }
}

function entriesOf(answer: unknown): Entry[] {
  return list(answer).map((entry) => {
    const [id, fields] = list(entry);
    return [streamId(id), texts(fields)];
  });
}

/** Of two ids of a stream: milliseconds, and a number among those of one. */
function isBefore(id: string, other: string): boolean {
  const [ms = 0, count = 0] = id.split('-').map(Number);
  const [otherMs = 0, otherCount = 0] = other.split('-').map(Number);
  return ms < otherMs || (ms === otherMs && count < otherCount);
}
