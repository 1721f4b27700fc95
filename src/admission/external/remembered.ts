import { RelayedAnswer } from '../../http/relayed-answer.ts';
import type { Proof } from './answer.ts';

/** At most so many, of 8 KiB at most. */
const SIZE = 4096;

interface Known {
  readonly proof: Proof;
  /** On a clock that never jumps, in milliseconds; its own end is a time of day. */
  readonly until: number;
}

/**
 * What a service has answered to questions of late, by what was asked: where it has let somebody in, that holds for a while,
 * but never beyond its own end. Of equal questions at a time one is asked. Holds a bounded number, the least recently used
 * give way.
 */
export class RememberedAnswers {
  readonly #holdMs: number;
  readonly #now: () => number;
  readonly #monotonic: () => number;
  readonly #size: number;
  readonly #known = new Map<string, Known>();
  readonly #asked = new Map<string, Promise<Proof>>();

  constructor(holdMs: number, { now = Date.now, monotonic = () => performance.now(), size = SIZE } = {}) {
    this.#holdMs = holdMs;
    this.#now = now;
    this.#monotonic = monotonic;
    this.#size = size;
  }

  /** The answer to a question, by its `name`; `ask` asks it, and rejects as this does. */
  async answer(name: string, ask: () => Promise<Proof>): Promise<Proof> {
    const known = this.#recall(name);
    if (known !== undefined) return known;
    const asked = this.#asked.get(name);
    if (asked === undefined) return this.#ask(name, ask);
    return asked.catch((error: unknown) => {
      // A refusal may set a cookie, which is for one client alone.
      if (error instanceof RelayedAnswer) return ask();
      throw error;
    });
  }

  async #ask(name: string, ask: () => Promise<Proof>): Promise<Proof> {
    const asking = ask();
    this.#asked.set(name, asking);
    try {
      const proof = await asking;
      this.#remember(name, proof);
      return proof;
    } finally {
      this.#asked.delete(name);
    }
  }

  #recall(name: string): Proof | undefined {
    const known = this.#known.get(name);
    if (known === undefined) return undefined;
    this.#known.delete(name);
    const { until, proof } = known;
    if (until <= this.#monotonic() || (proof.expiresAt ?? Infinity) <= this.#now()) return undefined;
    // A Map keeps the order of insertion: the one used last goes to its end.
    this.#known.set(name, known);
    return proof;
  }

  #remember(name: string, proof: Proof): void {
    this.#known.set(name, { proof, until: this.#monotonic() + this.#holdMs });
    if (this.#known.size <= this.#size) return;
    const [oldest] = this.#known.keys();
    this.#known.delete(oldest as string);
  }
}
