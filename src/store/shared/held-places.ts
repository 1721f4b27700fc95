import type { Holding } from './authority.ts';

interface HeldDeps {
  /** Says how many are held here, of so many. */
  readonly say: (held: number, max: number) => Promise<Holding>;
  /** How many gateways were last seen, this one among them. */
  readonly gateways: () => number;
  /** What is thrown where nobody answers. Absent: it is judged here. */
  readonly refusal?: ((cause: unknown) => Error) | undefined;
}

/**
 * The places of one key, as this process holds them. What is said is how many they are, never that there is one more or one
 * less: what was lost on the way is mended by what is said next.
 */
export class HeldPlaces {
  readonly #deps: HeldDeps;
  #held = 0;
  /** Questions under way, for one place each. */
  #asked = 0;
  /** What those who keep the counts believe; undefined where that is not known. */
  #told: number | undefined = 0;
  #isTelling = false;
  /** As they have last said: how many the others hold, and how many were held here then. */
  #others = 0;
  #then = 0;

  constructor(deps: HeldDeps) {
    this.#deps = deps;
  }

  /** No place is held or asked for. */
  get isEmpty(): boolean {
    return this.#held === 0 && this.#asked === 0;
  }

  /** Those who keep the counts know what is held here. */
  get isTold(): boolean {
    return this.#told === this.#held && this.#asked === 0;
  }

  /** Takes one of `max` places, if it is there. Rejects with the refusal of `deps` where nobody answers, if there is one. */
  async acquire(max: number): Promise<boolean> {
    this.#asked += 1;
    let isGranted = false;
    try {
      isGranted = await this.#ask(max);
    } finally {
      this.#asked -= 1;
      if (isGranted) this.#held += 1;
    }
    return isGranted;
  }

  release(): void {
    this.#held -= 1;
  }

  /** Makes known what is held here where they believe something else. Never rejects: what nobody hears is said again later. */
  async tell(): Promise<void> {
    if (this.#isTelling || this.#asked > 0 || this.isTold) return;
    this.#isTelling = true;
    const held = this.#held;
    try {
      await this.#deps.say(held, Infinity);
      this.#told = held;
    } catch {
      this.#told = undefined;
    }
    this.#isTelling = false;
    if (this.#told !== undefined) await this.tell();
  }

  /** They may have lost what they were told. */
  forgetTold(): void {
    this.#told = undefined;
  }

  async #ask(max: number): Promise<boolean> {
    const wanted = this.#held + this.#asked;
    try {
      const { isGranted, others } = await this.#deps.say(wanted, max);
      if (isGranted) this.#told = wanted;
      this.#others = others;
      this.#then = isGranted ? this.#held + 1 : this.#held;
      return isGranted;
    } catch (cause) {
      this.#told = undefined;
      const { refusal } = this.#deps;
      if (refusal) throw refusal(cause);
      return this.#held < this.#mostAlone(max);
    }
  }

  /** Of those that were free when last heard of, each gateway may give its part; of a key nobody has asked for, one at least. */
  #mostAlone(max: number): number {
    const free = Math.max(0, max - this.#then - this.#others);
    const most = this.#then + Math.floor(free / this.#deps.gateways());
    return most === 0 && this.#others === 0 ? 1 : most;
  }
}
