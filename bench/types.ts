import type { Load } from './load/load.ts';
import type { Processes } from './measure/processes.ts';

/** The words the bench is written in: what is measured, of whom, how, and what becomes of it. */

/** What one repetition of a case measured of one peer. A case fills in what it measures. */
export interface Sample {
  /** CPU µs of all the peer's processes per echoed message, handshake or request. */
  cpuUs?: number;
  /** Messages, handshakes, connects or requests per second. */
  rate?: number;
  /** Time there and back, µs. */
  p50Us?: number;
  p99Us?: number;
  /** Payload in 10^6 bytes a second, one way. */
  mbps?: number;
  /** KiB of the peer's memory (PSS) for each connection. */
  kibEach?: number;
  /** Connections of the peer to the service. */
  upstream?: number;
  /** MiB the peer's memory grew by at its peak. */
  mib?: number;
  /** Share of the wall time the peer's core was busy, 0..1. Well below 1: the load, not the peer, set the rate. */
  busy?: number;
}

export type Metric = keyof Sample;

/** What a peer is asked to carry; each has an endpoint for those it knows. */
export type Kind =
  /** WebSocket to the WebSocket echo: token, limits, metrics and log on, where the peer has such things. */
  | 'websocket'
  /** WebSocket to the TCP echo. */
  | 'tcp'
  /** The same, with clients that speak sallyport.tcp.v1. */
  | 'tcp-v1'
  /** WebSocket to the service that pushes without end. */
  | 'source'
  /** WebSocket to the HTTP service that answers each POST with its messages. */
  | 'poll'
  /** WebSocket to the HTTP service that is told of events, and answers with events. */
  | 'websocket-over-http'
  /** WebSocket to the HTTP service whose answer to a message is the reply. */
  | 'post'
  /** WebSocket to the echo, without a token (`open`), or with an ES256 one (`signed`). */
  | 'open'
  | 'signed'
  /** WebSocket to the echo: messages and bytes limited per subject; and upgrades under three limits of subjects and addresses. */
  | 'metered'
  | 'counted'
  /** Plain HTTP; `kept` with connections to the service kept open, where that must be asked for. */
  | 'http'
  | 'kept'
  /** Refused: 401 without a token, 403 for its origin, 429 by a limit. */
  | 'locked'
  | 'foreign'
  | 'limited';

/** Where a peer takes a kind of connection; all listen on 127.0.0.1. */
export interface Endpoint {
  port: number;
  path: string;
  tls: boolean;
  /** The subprotocol to offer. */
  protocol?: string;
}

/** The services behind every peer, each a process of its own. */
export type Service =
  | 'echo-websocket'
  | 'echo-tcp'
  | 'echo-http'
  | 'source'
  | 'http'
  | 'poll'
  | 'websocket-over-http';

/** What stands ready before a peer is started: services, a certificate, tokens, a folder for its files. */
export interface Bed {
  /** Port of each service, on 127.0.0.1. */
  ports: Record<Service, number>;
  /** PEM files for `localhost`. */
  certificate: { cert: string; key: string };
  tokens: Tokens;
  /** A temporary folder; it is removed when the bench ends. */
  directory: string;
  cores: Cores;
  processes: Processes;
}

/** What clients show: an HS256 token for most kinds; ES256 ones of a key of our own for `signed`. */
export interface Tokens {
  issuer: string;
  audience: string;
  secretFile: string;
  /** HS256, valid for the whole run. */
  common: string;
  publicKeyFile: string;
  /** Makes `count` different ES256 tokens. */
  sign(count: number): Promise<string[]>;
}

/** Core each part is pinned to; undefined: this machine has one core, or no `taskset`. */
export interface Cores {
  proxy?: number;
  load?: number;
  service?: number;
}

/** A proxy to measure. */
export interface Peer {
  name: string;
  /** How to install it, where it is missing. */
  missing(): string | undefined;
  version(): string;
  /** Starts it on the proxy core, and resolves once it listens. */
  start(bed: Bed): Promise<RunningPeer>;
}

export interface RunningPeer {
  name: string;
  /** The process it was started as; the rest of its tree is found anew at each look. */
  pid: number;
  /** Where it takes this kind; undefined: it cannot do that. */
  endpoint(kind: Kind, tls?: boolean): Endpoint | undefined;
  stop(): Promise<void>;
}

/** What a case works with. */
export interface Tools {
  bed: Bed;
  load: Load;
  /** How long one repetition measures, after `warmUp`. */
  seconds: number;
  warmUp: number;
  /** Each peer is first run until its figure is steady: code that has just started says nothing. */
  untilSteady: boolean;
  /** In quick runs below 1: what a case holds open, or sends, may be scaled down by it. */
  scale: number;
  /** Says on the report what was scaled down or went otherwise than planned; the same text is said once. */
  note(text: string): void;
}

/** A goal for Sallyport, or for another peer of ours: the ratio to another peer, or to itself in another case, or (neither named) the value itself. */
export interface Target {
  metric: Metric;
  /** The peer it is about; absent: Sallyport. */
  of?: string;
  /** A peer's name. */
  against?: string;
  /** A case's name: the same peer there, or the peer named by `against` there. */
  inCase?: string;
  atMost?: number;
  atLeast?: number;
  /** What would make us proud, in the same direction. */
  proud?: number;
}

export interface Case {
  /** A slug, for --only. */
  name: string;
  /** The heading the table puts it under. */
  group: string;
  title: string;
  /** What `cpuUs` and `rate` count: message, handshake, connect, request. */
  unit: string;
  /** The columns, in order. */
  metrics: Metric[];
  /** Peers by name, the yardstick first. */
  peers: string[];
  targets: Target[];
  /** Repetitions start the peer anew: for memory, which a process keeps. */
  fresh?: boolean;
  /** One of the few that a quick run takes. */
  quick?: boolean;
  /** As many repetitions are enough, where they take long and hardly differ. */
  rounds?: number;
  /** Measures one repetition; rejects when the peer fails at it. */
  run(peer: RunningPeer, tools: Tools): Promise<Sample>;
}

/** One peer in one case. */
export interface PeerResult {
  peer: string;
  /** Every repetition, in order. */
  samples: Sample[];
  median: Sample;
  /** Why there are no samples, or fewer: missing, cannot do it, failed. */
  failure?: string;
}

export interface FrameAction {
  target: Target;
  /** The ratio or the value judged; undefined: one side was not measured. */
  value?: number;
  reached?: boolean;
  proud?: boolean;
}

export interface CaseResult extends Pick<Case, 'name' | 'group' | 'title' | 'unit' | 'metrics'> {
  /** The yardstick first, as the case lists them. */
  peers: PeerResult[];
  verdicts: FrameAction[];
}

export interface Machine {
  cpu: string;
  cores: number;
  memoryGib: number;
  kernel: string;
}

/** Everything a run found: the JSON file is this. */
export interface Report {
  date: string;
  machine: Machine;
  /** By name: node, each peer. */
  versions: Record<string, string>;
  options: { quick: boolean; rounds: number; seconds: number; only: string[]; peers: string[] };
  missing: { peer: string; install: string }[];
  notes: string[];
  cases: CaseResult[];
}
