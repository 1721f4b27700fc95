import { type Processes, type Running, reply } from '../measure/processes.ts';
import type { Endpoint, Kind, RunningPeer, Sample } from '../types.ts';

/** Messages to and fro over open connections. */
export interface EchoJob {
  connections: number;
  inFlight: number;
  /** Payload bytes of a message. */
  size: number;
  seconds: number;
  /** Seconds before anything is counted. */
  warmUp: number;
}

/** Connections opened, perhaps used for one echo, and closed again, over and over. */
export interface CycleJob {
  /** How many are under way at a time. */
  workers: number;
  /** Send one message of 64 B and await its echo. */
  echo: boolean;
  /** Used in turn, over and over; without any, the common one. */
  tokens?: readonly string[];
  seconds: number;
  warmUp: number;
}

/** Connections opened and held. */
export interface HoldJob {
  connections: number;
  /** false: what comes is left unread. */
  read: boolean;
}

/** What a peer is asked for. */
export interface Wanted {
  kind: Kind;
  tls?: boolean;
}

/** Held connections; `close` ends them. */
export interface Held {
  /** How many are open. */
  open: number;
  close(): Promise<void>;
}

/** What a load process is told. */
export interface Order {
  job: ({ type: 'echo' } & EchoJob) | ({ type: 'cycle' } & CycleJob) | ({ type: 'hold' } & HoldJob);
  endpoint: Endpoint;
  token: string;
  /** The peer's process, whose CPU time the load reads at the very start and end of what it counts. */
  pid: number;
}

/** What it answers. */
export interface Answer {
  sample?: Sample;
  open?: number;
  error?: string;
}

const SCRIPT = new URL('./main.ts', import.meta.url);

/** The load generator: each job runs in a fresh process of its own, pinned to the load core. */
export class Load {
  readonly #processes: Processes;
  readonly #core: number | undefined;
  readonly #token: string;

  constructor(processes: Processes, core: number | undefined, token: string) {
    this.#processes = processes;
    this.#core = core;
    this.#token = token;
  }

  /** Measures echoes: CPU, rate, MB/s, p50, p99 and how busy the peer was. */
  echo(peer: RunningPeer, wanted: Wanted, job: EchoJob): Promise<Sample> {
    return this.#measure(this.#order(peer, wanted, { type: 'echo', ...job }));
  }

  /** Measures whole connections: CPU and rate of each, how long one takes, and how busy the peer was. */
  cycles(peer: RunningPeer, wanted: Wanted, job: CycleJob): Promise<Sample> {
    return this.#measure(this.#order(peer, wanted, { type: 'cycle', ...job }));
  }

  /** Opens connections and holds them until they are closed; the caller measures. */
  async hold(peer: RunningPeer, wanted: Wanted, job: HoldJob): Promise<Held> {
    const running = this.#start(this.#order(peer, wanted, { type: 'hold', ...job }));
    try {
      const { open } = await answerOf(running);
      return { open: open ?? 0, close: () => running.stop() };
    } catch (error) {
      await running.stop();
      throw error;
    }
  }

  #order(peer: RunningPeer, { kind, tls }: Wanted, job: Order['job']): Order {
    const endpoint = peer.endpoint(kind, tls);
    if (endpoint === undefined) throw new Error(`it has no ${kind}${tls ? ' over TLS' : ''}`);
    return { job, endpoint, token: this.#token, pid: peer.pid };
  }

  async #measure(order: Order): Promise<Sample> {
    const running = this.#start(order);
    try {
      const { sample } = await answerOf(running);
      return sample ?? {};
    } finally {
      await running.stop();
    }
  }

  #start(order: Order): Running {
    const running = this.#processes.script(SCRIPT, [], this.#core);
    running.child.send(order);
    return running;
  }
}

async function answerOf(running: Running): Promise<Answer> {
  const answer = await reply<Answer>(running);
  if (answer.error) throw new Error(answer.error);
  return answer;
}
