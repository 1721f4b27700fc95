import { judge } from '../../bench/report/judge.ts';
import type { CaseResult, Report, Sample, Target } from '../../bench/types.ts';

/** Reports of the bench as they might come out, for tests of what is made of them. */

interface CaseParts {
  readonly peers: Readonly<Record<string, Sample | undefined>>;
  readonly targets?: readonly Target[];
  readonly rest?: Partial<CaseResult>;
}

/** A case of WebSocket echoes in which each peer measured what is given, once; undefined: it was missing. */
export function caseOf({ peers, targets = [], rest = {} }: CaseParts): CaseResult {
  const results = Object.entries(peers).map(([peer, median]) => ({
    peer,
    samples: median ? [median] : [],
    median: median ?? {},
    failure: median ? undefined : 'is missing',
  }));
  const own = { name: 'echo', peers: results };
  return {
    ...own,
    group: 'WebSocket',
    title: 'WebSocket, 64 B, 1 in flight',
    unit: 'message',
    metrics: ['cpuUs', 'rate'],
    verdicts: targets.map((target) => judge(target, own, [own])),
    ...rest,
  };
}

export function reportOf(cases: CaseResult[], rest: Partial<Report> = {}): Report {
  return {
    date: '2026-11-22T10:00:00.000Z',
    machine: { cpu: 'Some <CPU> & Co', cores: 2, memoryGib: 8, kernel: 'Linux 6.1.0' },
    versions: { node: '24.21.0', nginx: '1.22.1', Sallyport: '0.1.0' },
    options: { quick: false, rounds: 5, seconds: 2, only: [], peers: [] },
    missing: [],
    notes: [],
    cases,
    ...rest,
  };
}
