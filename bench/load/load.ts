import { type Processes, reply } from '../measure/processes.ts';
import type { Endpoint, RunningPeer, Sample } from '../types.ts';

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
  echo(peer: RunningPeer, endpoint: Endpoint, job: EchoJob): Promise<Sample> {
    return this.#measure({ job: { type: 'echo', ...job }, endpoint, token: this.#token, pid: peer.pid });
  }

  /** Measures whole connections: CPU and rate of each, and how long one takes. */
  cycles(peer: RunningPeer, endpoint: Endpoint, job: CycleJob): Promise<Sample> {
    return this.#measure({ job: { type: 'cycle', ...job }, endpoint, token: this.#token, pid: peer.pid });
  }

  /** Opens connections and holds them until they are closed; the caller measures. */
  async hold(peer: RunningPeer, endpoint: Endpoint, job: HoldJob): Promise<Held> {
    const order: Order = { job: { type: 'hold', ...job }, endpoint, token: this.#token, pid: peer.pid };
    const running = this.#processes.script(SCRIPT, [], this.#core);
    running.child.send(order);
    const { open, error } = await reply<Answer>(running);
    if (error) await running.stop();
    if (error) throw new Error(error);
    return { open: open ?? 0, close: () => running.stop() };
  }

  async #measure(order: Order): Promise<Sample> {
    const running = this.#processes.script(SCRIPT, [], this.#core);
    try {
      running.child.send(order);
      const { sample, error } = await reply<Answer>(running);
      if (!sample) throw new Error(error);
      return sample;
    } finally {
      await running.stop();
    }
  }
}
