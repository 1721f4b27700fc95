import type { CursorEntry } from '../../../config/poll/cursor.ts';
import { compileCondition, type Evidence } from './evidence.ts';

type Reset = NonNullable<CursorEntry['reset']>[number];

/**
 * Compiles where an answer leads to that says that a cursor is not known any more, as the first that describes it says;
 * undefined for one that none describes.
 */
export function compileResets(resets: readonly Reset[]): (evidence: Evidence) => string | undefined {
  const rules = resets.map((reset) => ({ applies: compileCondition(reset), to: reset.to }));
  return (evidence) => rules.find(({ applies }) => applies(evidence))?.to;
}
