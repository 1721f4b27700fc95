import { setTimeout as wait } from 'node:timers/promises';
import { memoryKib } from '../measure/proc.ts';
import type { Case, RunningPeer, Sample, Tools } from '../types.ts';
import { atWork } from './at-work.ts';
import { affordable } from './scale.ts';

/** The memory of connections that are open and silent. */

const CONNECTIONS = 10_000;
/** 1 KB is 1,000 B. */
const KIB = 1000 / 1024;

export const idleCases: Case[] = [
  idleCase('idle-plain', '10,000 idle connections', false, 20 * KIB),
  idleCase('idle-tls', '10,000 idle connections over TLS', true, 60 * KIB),
];

function idleCase(name: string, title: string, tls: boolean, atMost: number): Case {
  return {
    name,
    group: 'Memory',
    title,
    unit: 'connection',
    metrics: ['kibEach'],
    peers: ['nginx', 'HAProxy', 'http-proxy', 'Sallyport'],
    targets: [{ metric: 'kibEach', atMost }],
    fresh: true,
    rounds: 1,
    run: (peer, tools) => holdIdle(peer, tools, tls),
  };
}

async function holdIdle(peer: RunningPeer, tools: Tools, tls: boolean): Promise<Sample> {
  const wanted = { kind: 'websocket', tls } as const;
  await atWork(peer, tools);
  const before = memoryKib(peer.pid);
  const connections = affordable(CONNECTIONS, tools);
  if (connections < CONNECTIONS / 2)
    tools.note('What idle connections take in common weighs more on each of few.');
  const held = await tools.load.hold(peer, wanted, {
    connections: affordable(CONNECTIONS, tools),
    read: true,
  });
  try {
    await wait(tools.seconds * 1000);
    return { kibEach: (memoryKib(peer.pid) - before) / held.open };
  } finally {
    await held.close();
  }
}
