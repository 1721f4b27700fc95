import type { Case, Target } from '../types.ts';
import { echoed, ONE, SIXTEEN } from './echo.ts';

/**
 * What it costs to serve by two processes. They have the one core of the proxy here, since load and services need the other: where
 * a message costs so much CPU, two cores carry 2 by that as many.
 */

const PEERS = ['Sallyport', 'Sallyport, 2 workers'];

/** 1.8 times as many on two cores. */
const TARGETS: Target[] = [
  { of: 'Sallyport, 2 workers', metric: 'cpuUs', against: 'Sallyport', atMost: 2 / 1.8 },
];

export const workerCases: Case[] = [
  messages('workers-messages-64x1', '64 B, 1 in flight', 'websocket', ONE),
  messages('workers-messages-64x16', '64 B, 16 in flight', 'websocket', SIXTEEN),
  messages(
    'workers-limited-64x1',
    '64 B, 1 in flight, messages and bytes limited per subject',
    'metered',
    ONE,
  ),
];

function messages(name: string, title: string, kind: 'websocket' | 'metered', job: typeof ONE): Case {
  return { ...echoed(kind, job, false), name, title, group: 'Two workers', peers: PEERS, targets: TARGETS };
}
