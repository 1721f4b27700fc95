import { randomBytes } from 'node:crypto';
import { list, texts, whole } from './answers.ts';
import type { RedisLink } from './link.ts';
import { BEAT } from './scripts.ts';

/** Each process says that it is alive so often, … */
const BEAT_MS = 3_000;
/** … and is taken to be for so long: what one that was killed held is free 13 s later at most. */
const ALIVE_MS = 10_000;
/** One that has not been heard yet tries so often: a cluster connects to its nodes only when they are asked. */
const FIRST_MS = 100;

interface MembershipOptions {
  readonly link: RedisLink;
  readonly prefix: string;
  /** Called after each sign of life; where it was not taken to be alive before, others may have what it held. */
  readonly onHeard: (wasAlive: boolean) => void;
  /** So many processes there are for sure, this one among them; absent: 1. */
  readonly least?: number | undefined;
  /** Milliseconds of a clock that never jumps. */
  readonly clock?: () => number;
}

/**
 * Which processes share a store, as far as this one knows. A process goes by when it began, in base 36, so that one that
 * began after the list was read is known to be alive.
 */
export class Membership {
  readonly #link: RedisLink;
  readonly #key: string;
  readonly #onHeard: (wasAlive: boolean) => void;
  readonly #least: number;
  readonly #clock: () => number;
  readonly #first = Promise.withResolvers<void>();
  #name: string | undefined;
  #readAt = 0;
  #living: readonly string[] = [];
  /**
   * A list in which this process does not stand any more may have been lost. Until then the others say that they are alive, and
   * those known before are taken to be.
   */
  #doubtedUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  #isClosed = false;

  constructor({ link, prefix, onHeard, least = 1, clock }: MembershipOptions) {
    this.#link = link;
    this.#key = `${prefix}:gateways`;
    this.#onHeard = onHeard;
    this.#least = least;
    this.#clock = clock ?? (() => performance.now());
  }

  /** Resolves after the first sign of life that was heard. */
  get heard(): Promise<void> {
    return this.#first.promise;
  }

  /** Of this process; undefined before it was ever heard. */
  get name(): string | undefined {
    return this.#name;
  }

  /** The list of the living, this process among them, and when Redis wrote it. */
  get living(): { readonly names: readonly string[]; readonly readAt: number } {
    return { names: this.#living, readAt: this.#readAt };
  }

  /** How many were last seen, or are there for sure. */
  get size(): number {
    return Math.max(this.#least, this.#living.length);
  }

  /** Says so, now and every three seconds. Never rejects; called meanwhile it is the same. */
  beat(): Promise<void> {
    this.#beating ??= this.#beat().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  /** Others take it for dead soon. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #beat(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      await this.#say();
    } catch {
      // Who asks for anything else hears it, too.
    }
    const pause = this.#name === undefined ? FIRST_MS : BEAT_MS;
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.beat(), pause);
  }

  async #say(): Promise<void> {
    if (this.#name === undefined) {
      const [, now] = await this.#ask('');
      this.#name = `${now.toString(36)}-${randomBytes(6).toString('hex')}`;
    }
    const [wasAlive, now, living] = await this.#ask(this.#name);
    this.#readAt = now;
    if (wasAlive !== 1) this.#doubtedUntil = this.#clock() + BEAT_MS;
    const isDoubted = this.#clock() < this.#doubtedUntil;
    this.#living = isDoubted ? [...new Set([...this.#living, ...living])] : living;
    this.#first.resolve();
    this.#onHeard(wasAlive === 1);
  }

  async #ask(name: string): Promise<[number, number, readonly string[]]> {
    const [wasAlive, now, living] = list(await this.#link.run(BEAT, this.#key, name, ALIVE_MS));
    return [whole(wasAlive), whole(now), texts(living)];
  }
}
