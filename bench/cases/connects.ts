import type { Case, Target } from '../types.ts';

/** Short connections to a TCP service: opened, one message there and back, closed. */
export const connectCases: Case[] = [
  connectCase('tcp-connects', false, [{ metric: 'rate', against: 'websockify', atLeast: 20 }]),
  connectCase('tcp-connects-tls', true, []),
];

function connectCase(name: string, tls: boolean, targets: Target[]): Case {
  return {
    name,
    group: 'WebSocket to TCP',
    title: `connect${tls ? ' over TLS' : ''}, one message, close; 16 at a time`,
    unit: 'connect',
    metrics: ['cpuUs', 'rate', 'p50Us', 'p99Us', 'busy'],
    peers: tls ? ['Sallyport'] : ['websockify', 'ws+net', 'Sallyport'],
    targets,
    run(peer, { load, seconds, warmUp }) {
      return load.cycles(peer, { kind: 'tcp', tls }, { workers: 16, echo: true, seconds, warmUp });
    },
  };
}
