import type { Holding, Late, Wanted } from './authority.ts';

interface HeldDeps {
  /** Says what is held here, and what is wanted. */
  readonly say: (places: Wanted, max: number, late: Late<Holding>) => Promise<Holding>;
  /** An answer has come too late: what it does not know of is to be told, by `tell`. */
  readonly learnt: () => void;
  /** How many gateways were last seen, this one among them. */
  readonly gateways: () => number;
  /** What is thrown where nobody answers. Absent: it is judged here. */
  readonly refusal?: ((cause: unknown) => Error) | undefined;
}

/** Somebody who wants one of `max` places. */
interface Asking {
  readonly max: number;
  resolve(isGranted: boolean): void;
  reject(refusal: Error): void;
}

/**
 * The places of one key, as this process holds them. What is said is how many they are, never that there is one more or one
 * less: what was lost on the way is mended by what is said next. One question is under way at a time, for all who ask.
 */
export class HeldPlaces {
  readonly #deps: HeldDeps;
  #held = 0;
  #waiting: Asking[] = [];
  /** The questions under way, until nothing is left to be said. */
  #telling: Promise<void> | undefined;
  /** What those who keep the counts believe; undefined where that is not known. */
  #told: number | undefined = 0;
  /** As they have last said: how many the others hold, and how many were held here then. */
  #others = 0;
  #then = 0;
  /** Questions so far, and the last of them that was answered. */
  #asked = 0;
  #answered = 0;

  constructor(deps: HeldDeps) {
    this.#deps = deps;
  }

  /** No place is held or asked for, and those who keep the counts know it. */
  get isForgettable(): boolean {
    return this.isEmpty && this.#told === 0;
  }

  /** Those who keep the counts know what is held, as far as is known. */
  get isTold(): boolean {
    return this.#told !== undefined;
  }

  get isEmpty(): boolean {
    return this.#held === 0 && this.#waiting.length === 0 && this.#telling === undefined;
  }

  /** Takes one of `max` places, if it is there. Rejects with the refusal of `deps` where nobody answers, if there is one. */
  acquire(max: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ max, resolve, reject });
      void this.tell();
    });
  }

  release(): void {
    this.#held -= 1;
  }

  /** They may have lost what they were told. */
  forgetTold(): void {
    this.#told = undefined;
  }

  /** Says what is wanted, and what is held where they believe something else. Never rejects; what nobody hears is said again later. */
  tell(): Promise<void> {
    this.#telling ??= this.#tellAll();
    return this.#telling;
  }

  async #tellAll(): Promise<void> {
    do await this.#ask(this.#waiting.splice(0));
    while (this.#waiting.length > 0 || (this.#told !== undefined && this.#told !== this.#held));
    this.#telling = undefined;
  }

  async #ask(asking: readonly Asking[]): Promise<void> {
    if (asking.length === 0 && this.#told === this.#held) return;
    const held = this.#held;
    const places = { held, wanted: held + asking.length };
    this.#asked += 1;
    const question = this.#asked;
    const late = (holding: Holding) => this.#learn(question, holding);
    try {
      this.#grant(asking, held, await this.#deps.say(places, asking[0]?.max ?? Infinity, late));
      this.#answered = question;
    } catch (cause) {
      this.#told = undefined;
      for (const each of asking) this.#judgeAlone(each, cause);
    }
  }

  /** Of those who ask the first get what there is. */
  #grant(asking: readonly Asking[], before: number, { held, others }: Holding): void {
    const granted = held - before;
    this.#told = held;
    this.#held += granted;
    this.#then = this.#held;
    this.#others = others;
    for (const [index, each] of asking.entries()) each.resolve(index < granted);
  }

  /** Those who asked were judged alone by then. Who asks next is judged by it, and what was given meanwhile is told. */
  #learn(question: number, { held, others }: Holding): void {
    if (question < this.#answered) return;
    this.#answered = question;
    this.#then = Math.min(held, this.#held);
    this.#others = others;
    if (question < this.#asked) return;
    this.#told = held;
    this.#deps.learnt();
  }

  #judgeAlone({ max, resolve, reject }: Asking, cause: unknown): void {
    const { refusal } = this.#deps;
    if (refusal) {
      reject(refusal(cause));
      return;
    }
    const isGranted = this.#held < this.#mostAlone(max);
    if (isGranted) this.#held += 1;
    resolve(isGranted);
  }

  /** Of those that were free when last heard of, each gateway may give its part; of a key nobody has asked for, one at least. */
  #mostAlone(max: number): number {
    const free = Math.max(0, max - this.#then - this.#others);
    const most = this.#then + Math.floor(free / this.#deps.gateways());
    return most === 0 && this.#others === 0 ? 1 : most;
  }
}
