import type { TestRun } from './vitest.ts';

/** A test that fails so often without a fault is left out. */
const ATTEMPTS = 2;

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
    let left = tests;
    // A busy machine may fail them once; left out for that, they would find nothing.
    for (let attempt = 1; attempt <= ATTEMPTS && left.length > 0; attempt++) {
      const { passedIn, failure } = await this.#run(left);
      for (const test of left) this.#known.set(test, passedIn.get(test));
      left = left.filter((test) => !passedIn.has(test));
      if (left.length > 0)
        this.#warn(`attempt ${attempt} without a fault: ${left.join(', ')} fail (${failure})`);
    }
    if (left.length > 0) this.#warn(`left out: ${left.join(', ')}`);
  }
}
