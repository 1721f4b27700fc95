import type { EndConfig } from '../../../config/poll/end.ts';
import type { ServiceEnd } from '../profile.ts';
import { compileCondition, type Evidence } from './evidence.ts';

/** What the client is told of a feed that is over. */
export const NO_MORE: ServiceEnd = { code: 1000, reason: 'The service has no more messages.' };

/** Compiles whether an answer, or an event, is the last. */
export function compileEnd(ends: EndConfig | undefined): (evidence: Evidence) => boolean {
  const conditions = (ends ?? []).map(compileCondition);
  return (evidence) => conditions.some((applies) => applies(evidence));
}
