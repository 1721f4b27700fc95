import type { Case, Target } from '../types.ts';
import { echoed } from './echo.ts';

/** WebSocket in front of HTTP services: a message to the service is a request, and a message from it a response. */
export const pollCases: Case[] = [
  pollCase('poll-1', '1 connection', 1, []),
  pollCase('poll-64', '64 connections', 64, [{ metric: 'rate', against: 'Pushpin', atLeast: 4 }]),
];

function pollCase(name: string, title: string, connections: number, targets: Target[]): Case {
  return {
    ...echoed('poll', { connections, inFlight: 1, size: 64 }, false),
    name,
    group: 'WebSocket to HTTP',
    title: `${title}, 64 B, 1 in flight, a message per request`,
    metrics: ['rate', 'cpuUs', 'p50Us', 'p99Us', 'busy'],
    peers: ['Pushpin', 'Sallyport'],
    targets,
  };
}
