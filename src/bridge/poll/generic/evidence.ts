import type { IncomingHttpHeaders } from 'node:http';
import { compilePointer, scalarOf } from '../json.ts';

/** An answer, or an event of a stream, that may say more than messages. */
export interface Evidence {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The body of the answer, or the event, as JSON; throws or gives undefined where it is none. */
  document(): unknown;
}

/** What an answer has to have, all of it. */
export interface Condition {
  readonly status?: readonly number[] | undefined;
  /** Whole values by the names of headers, in lower case. */
  readonly header?: Readonly<Record<string, unknown>> | undefined;
  /** Single values by JSON pointers. */
  readonly json?: Readonly<Record<string, unknown>> | undefined;
}

/** Compiles whether an answer is one of those that are described. */
export function compileCondition({
  status,
  header = {},
  json = {},
}: Condition): (evidence: Evidence) => boolean {
  const fields = Object.entries(header).map(([name, value]) => [name, String(value)] as const);
  const values = Object.entries(json).map(([pointer, value]) => ({
    find: compilePointer(pointer),
    text: String(value),
  }));
  return function applies(evidence) {
    if (status !== undefined && !status.includes(evidence.status)) return false;
    if (!fields.every(([name, text]) => evidence.headers[name] === text)) return false;
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
