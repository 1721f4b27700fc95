import type { Case, Target } from '../types.ts';
import { echoed, ONE, SIXTEEN } from './echo.ts';

/** What it costs a gateway that its limits hold across several: the same limits in memory, and in a Redis. */

const PEERS = ['Sallyport', 'Sallyport+Redis'];

export const sharedCases: Case[] = [
  messages('shared-messages-64x1', '64 B, 1 in flight', ONE),
  messages('shared-messages-64x16', '64 B, 16 in flight', SIXTEEN),
  {
    name: 'shared-upgrades',
    group: 'Shared limits',
    title: 'upgrades under three limits: upgrades per address and per subject, connections per subject',
    unit: 'handshake',
    metrics: ['cpuUs', 'rate', 'p50Us', 'p99Us', 'busy'],
    peers: PEERS,
    targets: [atMost(1.25)],
    run(peer, { load, seconds, warmUp }) {
      return load.cycles(peer, { kind: 'counted' }, { workers: 16, echo: false, seconds, warmUp });
    },
  },
];

function messages(name: string, shape: string, job: typeof ONE): Case {
  const title = `${shape}, messages and bytes limited per subject`;
  const common = { name, title, group: 'Shared limits', peers: PEERS, targets: [atMost(1.03)] };
  return { ...echoed('metered', job, false), ...common };
}

function atMost(bound: number): Target {
  return { of: 'Sallyport+Redis', metric: 'cpuUs', against: 'Sallyport', atMost: bound };
}
