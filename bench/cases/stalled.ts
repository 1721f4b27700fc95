import { setTimeout as wait } from 'node:timers/promises';
import { memoryKib } from '../measure/proc.ts';
import type { Case, RunningPeer, Sample, Tools } from '../types.ts';
import { atWork } from './at-work.ts';

/** What a proxy keeps for clients that do not read, while the service behind it pushes 300 MiB at each. */

const WANTED = { kind: 'source' } as const;
const LOOK_MS = 50;

/** 100 MB in MiB. */
const HUNDRED_MB = 1e8 / 2 ** 20;

export const stalledCases: Case[] = [
  // A proxy that does not pause its source would take 300 MiB, or 30 GiB for a hundred.
  stalledCase(
    1,
    '300 MiB on the way to a client that does not read',
    ['nginx', 'HAProxy', 'http-proxy', 'ws+ws', 'Sallyport'],
    4,
  ),
  stalledCase(
    100,
    '300 MiB on the way to each of 100 clients that do not read',
    ['nginx', 'HAProxy', 'http-proxy', 'Sallyport'],
    HUNDRED_MB,
  ),
];

function stalledCase(clients: number, title: string, peers: string[], atMost: number): Case {
  return {
    name: `stalled-${clients}`,
    group: 'Memory',
    title,
    unit: 'connection',
    metrics: ['mib'],
    peers,
    targets: [{ metric: 'mib', atMost }],
    fresh: true,
    run: (peer, tools) => stall(peer, tools, clients),
  };
}

async function stall(peer: RunningPeer, tools: Tools, clients: number): Promise<Sample> {
  await atWork(peer, tools);
  const before = memoryKib(peer.pid);
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, memoryKib(peer.pid));
  }, LOOK_MS);
  try {
    const held = await tools.load.hold(peer, WANTED, { connections: clients, read: false });
    await wait(tools.seconds * 1000);
    await held.close();
  } finally {
    clearInterval(watch);
  }
  return { mib: (peak - before) / 1024 };
}
