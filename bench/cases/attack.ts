import { setTimeout as wait } from 'node:timers/promises';
import type { AttackCount, AttackOrder } from '../load/attack.ts';
import { reply } from '../measure/processes.ts';
import type { Case, RunningPeer, Sample, Tools } from '../types.ts';
import { fresh } from './handshakes.ts';

/** What honest clients notice of a flood of tokens with a wrong signature, which cost more to look at than to make up. */

const SCRIPT = new URL('../load/attack.ts', import.meta.url);
const PER_SECOND = 2_000;
const ADDRESSES = Array.from({ length: 10 }, (_, at) => `127.0.0.${at + 2}`);
const TOKENS = 1_000;
/** Until the attackers have used up what every address may do at once. */
const LEAD_MS = 500;

type Honest = (peer: RunningPeer, tools: Tools) => Promise<Sample>;

const handshakes: Honest = async (peer, tools) => {
  const { load, seconds, warmUp } = tools;
  const job = { workers: 4, echo: false, tokens: await fresh(tools), seconds, warmUp };
  return load.cycles(peer, { kind: 'signed' }, job);
};

const echoes: Honest = (peer, { load, seconds, warmUp }) =>
  load.echo(peer, { kind: 'websocket' }, { connections: 16, inFlight: 1, size: 64, seconds, warmUp });

export const attackCases: Case[] = [
  attackCase(
    'attack-bad-tokens-handshakes',
    'handshake',
    'a fresh ES256 token each; 4 at a time',
    handshakes,
    50,
  ),
  attackCase('attack-bad-tokens-echoes', 'message', '64 B, 16 connections', echoes, 10),
];

function attackCase(name: string, unit: string, title: string, honest: Honest, atMostMs: number): Case {
  return {
    name,
    group: 'Honest clients beside 2,000 bad ES256 tokens a second from 10 addresses',
    title,
    unit,
    // CPU per handshake or message says nothing here: the attack's is in it.
    metrics: ['rate', 'p50Us', 'p99Us', 'busy'],
    peers: ['Sallyport'],
    targets: [{ metric: 'p99Us', atMost: atMostMs * 1000 }],
    async run(peer, tools) {
      const { cpuUs: _, ...sample } = await underAttack(peer, tools, () => honest(peer, tools));
      return sample;
    },
  };
}

/** Runs `act` while the attack goes on. Rejects if one of its tokens was good. */
async function underAttack(peer: RunningPeer, tools: Tools, act: () => Promise<Sample>): Promise<Sample> {
  const { processes, cores, tokens } = tools.bed;
  const endpoint = peer.endpoint('signed');
  if (endpoint === undefined) throw new Error('it has no signed');
  const attack = processes.script(SCRIPT, [], cores.load);
  try {
    const bad = (await tokens.sign(TOKENS)).map(spoilt);
    const order: AttackOrder = { endpoint, tokens: bad, addresses: ADDRESSES, perSecond: PER_SECOND };
    attack.child.send(order);
    await reply<AttackCount>(attack);
    await wait(LEAD_MS);
    const sample = await act();
    attack.child.send('count');
    judge(await reply<AttackCount>(attack), tools);
    return sample;
  } finally {
    await attack.stop();
  }
}

/** The same token with another signature, as dear to look at. */
function spoilt(token: string): string {
  const at = token.lastIndexOf('.') + 20;
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
}

function judge({ seconds, answered }: AttackCount, { note }: Tools): void {
  const total = Object.values(answered).reduce((sum, count) => sum + count, 0);
  const strays = Object.keys(answered).filter((status) => status !== '401' && status !== '429');
  if (strays.length > 0) throw new Error(`the attack was answered with ${strays.join(', ')}`);
  if (total < 0.9 * PER_SECOND * seconds)
    note(`the attack came to ${Math.round(total / seconds)} tokens a second only`);
}
