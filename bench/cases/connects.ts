import type { Case } from '../types.ts';

/** Short connections to a TCP service: opened, one message there and back, closed. */
export const connectCases: Case[] = [
  {
    name: 'tcp-connects',
    group: 'WebSocket to TCP',
    title: 'connect, one message, close; 16 at a time',
    unit: 'connect',
    metrics: ['cpuUs', 'rate', 'p50Us', 'p99Us', 'busy'],
    peers: ['websockify', 'ws+net', 'Sallyport'],
    targets: [{ metric: 'rate', against: 'websockify', atLeast: 20 }],
    run(peer, { load, seconds, warmUp }) {
      return load.cycles(peer, { kind: 'tcp' }, { workers: 16, echo: true, seconds, warmUp });
    },
  },
];
