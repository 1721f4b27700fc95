import type { Authority } from '../../src/store/shared/authority.ts';

/** An authority that a test makes late, or silent. */
export function troubled(authority: Authority) {
  let fault: Error | undefined;
  let turn = () => Promise.resolve();
  let heard = Promise.resolve();
  let questions = 0;

  async function ask<T>(question: () => Promise<T>): Promise<T> {
    questions += 1;
    if (fault !== undefined) throw fault;
    // One connection: what was asked first is heard first.
    heard = heard.then(turn);
    await heard;
    return question();
  }

  return {
    get questions() {
      return questions;
    },
    /** Every question fails with this from now on; undefined: none does. */
    fail(error: Error | undefined) {
      fault = error;
    },
    /** Every question waits for what this returns before it is heard. */
    delay(by: () => Promise<void>) {
      turn = by;
    },
    authority: {
      take: (...asked) => ask(() => authority.take(...asked)),
      debit: (...asked) => ask(() => authority.debit(...asked)),
      hold: (...asked) => ask(() => authority.hold(...asked)),
    } satisfies Authority,
  };
}
