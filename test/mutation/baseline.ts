import type { TestRun } from './vitest.ts';

/** How long the tests take where no fault has been put in, and which of them pass there: only those can find one. */
export class Baseline {
  readonly #run: (tests: readonly string[]) => Promise<TestRun>;
  readonly #warn: (text: string) => void;
  /** In milliseconds; undefined: it fails. */
  readonly #known = new Map<string, number | undefined>();
  /** One run at a time, or two would try the same tests. */
  #running: Promise<void> = Promise.resolve();

  constructor(run: (tests: readonly string[]) => Promise<TestRun>, warn: (text: string) => void) {
    this.#run = run;
    this.#warn = warn;
  }

  /** Those of the tests that pass, with the time each takes in milliseconds. Tests are run when first asked about. */
  async passing(tests: readonly string[]): Promise<Map<string, number>> {
    this.#running = this.#running.then(() => this.#learn(tests.filter((test) => !this.#known.has(test))));
    await this.#running;
    const known = tests.map((test) => [test, this.#known.get(test)] as const);
    return new Map(known.filter((each): each is [string, number] => each[1] !== undefined));
  }

  async #learn(tests: readonly string[]): Promise<void> {
    if (tests.length === 0) return;
    const { passedIn, failure } = await this.#run(tests);
    for (const test of tests) this.#known.set(test, passedIn.get(test));
    const bad = tests.filter((test) => !passedIn.has(test));
    if (bad.length > 0) this.#warn(`left out, for they fail without a fault: ${bad.join(', ')} (${failure})`);
  }
}
