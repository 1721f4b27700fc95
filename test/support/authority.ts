import type { Authority, Late } from '../../src/store/shared/authority.ts';

/** An authority that a test makes late, or silent. */
export function troubled(authority: Authority) {
  let fault: Error | undefined;
  let turn = () => Promise.resolve();
  let heard = Promise.resolve();
  let questions = 0;
  let belated: (() => Promise<void>)[] | undefined;

  async function ask<T>(question: () => Promise<T>, late?: Late<T>): Promise<T> {
    questions += 1;
    if (belated !== undefined) {
      const answer = question();
      belated.push(async () => late?.(await answer));
      throw new Error('late');
    }
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
    /** Every question is heard, and its answer comes too late: when what this returns is called. */
    holdBack(): () => Promise<void> {
      belated = [];
      return async () => {
        const answers = belated ?? [];
        belated = undefined;
        for (const answer of answers) await answer();
      };
    },
    /** Every question waits for what this returns before it is heard. */
    delay(by: () => Promise<void>) {
      turn = by;
    },
    authority: {
      take: (...asked) => ask(() => authority.take(...asked), asked[3]),
      debit: (...asked) => ask(() => authority.debit(...asked)),
      hold: (...asked) => ask(() => authority.hold(...asked), asked[4]),
    } satisfies Authority,
  };
}
