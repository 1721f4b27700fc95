import type { CursorEntry } from '../../../config/poll/cursor.ts';
import { compilePointer, scalarOf } from '../json.ts';

/** What tells that a cursor is not known any more. */
export interface Evidence {
  readonly status: number;
  /** The body of the answer, or the event, as JSON; throws or gives undefined where it is none. */
  document(): unknown;
}

type Reset = NonNullable<CursorEntry['reset']>[number];

/** Compiles where an answer leads to, as the first that describes it says; undefined for one that none describes. */
export function compileResets(resets: readonly Reset[]): (evidence: Evidence) => string | undefined {
  const rules = resets.map((reset) => ({ applies: compileCondition(reset), to: reset.to }));
  return (evidence) => rules.find(({ applies }) => applies(evidence))?.to;
}

/** An answer has one of the statuses, and all values in its body. */
function compileCondition({ status, json = {} }: Reset): (evidence: Evidence) => boolean {
  const values = Object.entries(json).map(([pointer, value]) => ({
    find: compilePointer(pointer),
    text: String(value),
  }));
  return function applies(evidence) {
    if (status !== undefined && !status.includes(evidence.status)) return false;
    if (values.length === 0) return true;
    const document = documentOf(evidence);
    return values.every(({ find, text }) => plain(find(document)) === text);
  };
}

/** Undefined for what is no single value. */
function plain(found: unknown): string | undefined {
  return typeof found === 'boolean' || found === null ? String(found) : scalarOf(found);
}

function documentOf(evidence: Evidence): unknown {
  try {
    return evidence.document();
  } catch {
    return undefined;
  }
}
