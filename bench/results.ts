import { medians } from './measure/stats.ts';
import type { Missing, Selection } from './plan.ts';
import { judge } from './report/judge.ts';
import type { Outcomes } from './run.ts';
import type { Case, CaseResult, PeerResult } from './types.ts';

/** Turns what was run into what is reported: medians, reasons for what is lacking, verdicts. */
export function resultsOf({ cases, missing }: Selection, outcomes: Outcomes): CaseResult[] {
  const measured = cases.map((subject) => ({ subject, ...bare(subject, missing, outcomes) }));
  return measured.map(({ subject, ...result }) => ({
    ...result,
    verdicts: subject.targets.map((target) => judge(target, result, measured)),
  }));
}

function bare(subject: Case, missing: readonly Missing[], outcomes: Outcomes): Omit<CaseResult, 'verdicts'> {
  const { name, group, title, unit, metrics } = subject;
  const peers = subject.peers.map((peer) => peerResult(peer, missing, outcomes.get(name)));
  return { name, group, title, unit, metrics, peers: peers.filter((result) => result !== undefined) };
}

/** Undefined: it was not asked for. */
function peerResult(
  peer: string,
  missing: readonly Missing[],
  outcomes: ReturnType<Outcomes['get']>,
): PeerResult | undefined {
  if (missing.some((each) => each.peer === peer))
    return { peer, samples: [], median: {}, failure: 'missing' };
  const outcome = outcomes?.get(peer);
  return outcome && { peer, ...outcome, median: medians(outcome.samples) };
}
