import type { Bed, Case, Peer, RunningPeer, Sample, Tools } from './types.ts';

/** What is run, and who is told how far it is. */
export interface Plan {
  cases: readonly Case[];
  /** Those that are there; a case's other peers are left out. */
  peers: readonly Peer[];
  rounds: number;
  /** Called before each repetition. */
  onProgress(progress: Progress): void;
}

export interface Progress {
  done: number;
  total: number;
  round: number;
  case: string;
  peer: string;
}

/** What became of one peer in one case. */
export interface Outcome {
  samples: Sample[];
  failure?: string;
}

/** By case, then by peer. */
export type Outcomes = Map<string, Map<string, Outcome>>;

/**
 * Runs every repetition, interleaved: each round takes all cases, each case all its peers, so that whatever the machine
 * does meanwhile meets them alike. A peer that fails is noted, started anew, and not tried in that case again.
 */
export async function run({ cases, peers, rounds, onProgress }: Plan, tools: Tools): Promise<Outcomes> {
  const outcomes: Outcomes = new Map();
  const stable = new Stable(tools.bed);
  const steps = stepsOf(cases, peers, rounds);
  for (const [done, { round, subject, peer }] of steps.entries()) {
    onProgress({ done, total: steps.length, round, case: subject.name, peer: peer.name });
    const outcome = outcomeOf(outcomes, subject.name, peer.name);
    if (outcome.failure !== undefined) continue;
    try {
      outcome.samples.push(await repetition(subject, peer, stable, tools));
    } catch (error) {
      outcome.failure = reasonOf(error);
      await stable.drop(peer);
    }
  }
  return outcomes;
}

interface Step {
  round: number;
  subject: Case;
  peer: Peer;
}

function stepsOf(cases: readonly Case[], peers: readonly Peer[], rounds: number): Step[] {
  const asked = (round: number) => cases.filter((subject) => round < (subject.rounds ?? rounds));
  return Array.from({ length: rounds }, (_, round) => round).flatMap((round) =>
    asked(round).flatMap((subject) =>
      peers.filter(({ name }) => subject.peers.includes(name)).map((peer) => ({ round, subject, peer })),
    ),
  );
}

async function repetition(subject: Case, peer: Peer, stable: Stable, tools: Tools): Promise<Sample> {
  if (!subject.fresh) {
    const running = await stable.get(peer);
    if (tools.untilSteady) await steady(subject, running, tools);
    return subject.run(running, tools);
  }
  const running = await peer.start(tools.bed);
  try {
    return await subject.run(running, tools);
  } finally {
    await running.stop();
  }
}

/** What counts as the same figure twice. */
const STEADY = 0.07;
const GLANCE_SECONDS = 0.5;
const MAX_GLANCES = 12;

/** Runs a case until its figure falls no more: a compiler that has not seen enough of it yet is not what is measured. */
async function steady(subject: Case, running: RunningPeer, tools: Tools): Promise<void> {
  let [least, inVain] = [Infinity, 0];
  // One glance that is no better may have been disturbed.
  for (let glance = 0; glance < MAX_GLANCES && inVain < 2; glance += 1) {
    const { cpuUs } = await subject.run(running, { ...tools, seconds: GLANCE_SECONDS, warmUp: 0 });
    if (cpuUs === undefined) return;
    inVain = cpuUs > least * (1 - STEADY) ? inVain + 1 : 0;
    least = Math.min(least, cpuUs);
  }
}

/** Peers that were started once and go on from case to case; all the others idle while one is measured. */
class Stable {
  readonly #bed: Bed;
  readonly #running = new Map<string, Promise<RunningPeer>>();

  constructor(bed: Bed) {
    this.#bed = bed;
  }

  get(peer: Peer): Promise<RunningPeer> {
    const running = this.#running.get(peer.name) ?? peer.start(this.#bed);
    this.#running.set(peer.name, running);
    return running;
  }

  /** Ends a peer that has failed, whatever state it is in; the next case gets a new one. */
  async drop({ name }: Peer): Promise<void> {
    const running = this.#running.get(name);
    this.#running.delete(name);
    await running?.then(({ stop }) => stop()).catch(() => undefined);
  }
}

/** One line, not longer than a table is wide. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, ' ').trim().slice(0, 200);
}

function outcomeOf(outcomes: Outcomes, subject: string, peer: string): Outcome {
  const ofCase = outcomes.get(subject) ?? new Map<string, Outcome>();
  outcomes.set(subject, ofCase);
  const outcome = ofCase.get(peer) ?? { samples: [] };
  ofCase.set(peer, outcome);
  return outcome;
}
