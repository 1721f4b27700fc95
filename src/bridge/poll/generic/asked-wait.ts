import type { PollsConfig } from '../../../config/poll/polls.ts';
import type { HttpAnswer } from '../../../upstream/client.ts';
import type { Reading } from './framing.ts';
import { compileSource } from './source.ts';

/** Compiles how long an answer asks to be left alone, in milliseconds; undefined where it does not. */
export function compileBackoff(
  backoff: PollsConfig['backoff'],
): (answer: HttpAnswer, reading: Reading) => number | undefined {
  if (backoff === undefined) return () => undefined;
  const source = compileSource(backoff);
  return function waitOf(answer, { document }) {
    const seconds = Number(source(answer, document));
    return seconds > 0 ? seconds * 1000 : undefined;
  };
}
