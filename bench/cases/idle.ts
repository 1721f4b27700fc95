import { setTimeout as wait } from 'node:timers/promises';
import type { Wanted } from '../load/load.ts';
import { connectionsTo, memoryKib } from '../measure/proc.ts';
import type { Case, RunningPeer, Sample, Tools } from '../types.ts';
import { atWork } from './at-work.ts';
import { affordable } from './scale.ts';

/** The memory of connections that are open and silent. */

const CONNECTIONS = 10_000;
/** Each has a poll of its own that the service holds. */
const POLLS = 500;
/** 1 KB is 1,000 B. */
const KIB = 1000 / 1024;

export const idleCases: Case[] = [
  idleCase('idle-plain', '10,000 idle connections', false, 20 * KIB),
  idleCase('idle-tls', '10,000 idle connections over TLS', true, 60 * KIB),
  {
    ...quiet('idle-poll'),
    // Few connections: what waits to be collected weighs on each.
    rounds: undefined,
    title: '500 idle connections in front of a service that holds a poll for each',
    metrics: ['kibEach', 'upstream'],
    peers: ['Sallyport'],
    targets: [
      { metric: 'kibEach', atMost: 40 * KIB },
      { metric: 'upstream', atMost: POLLS },
    ],
    run: holdPolls,
  },
];

function idleCase(name: string, title: string, tls: boolean, atMost: number): Case {
  return {
    ...quiet(name),
    title,
    metrics: ['kibEach'],
    peers: ['nginx', 'HAProxy', 'http-proxy', 'Sallyport'],
    targets: [{ metric: 'kibEach', atMost }],
    run: (peer, tools) => holdIdle(peer, tools, tls),
  };
}

function quiet(name: string): Pick<Case, 'name' | 'group' | 'unit' | 'fresh' | 'rounds'> {
  return { name, group: 'Memory', unit: 'connection', fresh: true, rounds: 1 };
}

async function holdIdle(peer: RunningPeer, tools: Tools, tls: boolean): Promise<Sample> {
  const connections = affordable(CONNECTIONS, tools);
  if (connections < CONNECTIONS / 2)
    tools.note('What idle connections take in common weighs more on each of few.');
  return hold(peer, tools, { kind: 'websocket', tls }, connections);
}

async function holdPolls(peer: RunningPeer, tools: Tools): Promise<Sample> {
  const { poll } = tools.bed.ports;
  const before = connectionsTo(poll);
  return hold(peer, tools, { kind: 'poll' }, POLLS, () => ({ upstream: connectionsTo(poll) - before }));
}

/** Measures what so many connections take of a peer that has worked before; `look` sees what else there is meanwhile. */
async function hold(
  peer: RunningPeer,
  tools: Tools,
  wanted: Wanted,
  connections: number,
  look: () => Sample = () => ({}),
): Promise<Sample> {
  await atWork(peer, tools, wanted.kind);
  const before = memoryKib(peer.pid);
  const held = await tools.load.hold(peer, wanted, { connections, read: true });
  try {
    await wait(tools.seconds * 1000);
    return { kibEach: (memoryKib(peer.pid) - before) / held.open, ...look() };
  } finally {
    await held.close();
  }
}
