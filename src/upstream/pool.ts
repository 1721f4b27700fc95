import type { Socket } from 'node:net';
import { sessionConfigOf } from '../config/poll/index.ts';
import type { RouteConfig } from '../config/schema.ts';
import type { UpstreamKind } from '../config/upstream-kinds.ts';
import { type DialFailure, GatewayError } from '../errors.ts';
import type { Asking, Policy } from './balance/policy.ts';
import { Connector, type Opening, type Spot } from './connector.ts';
import type { PoolRecord, UpstreamContext } from './context.ts';
import type { ProofSource } from './credentials.ts';
import type { Endpoint } from './endpoint.ts';
import { startChecks } from './health/checks.ts';
import type { Http2Mode } from './http2-connection.ts';
import { Lease } from './lease.ts';
import { HostWatch } from './names/watch.ts';
import { type Target, targetsOf } from './target.ts';

/** Who hears of the endpoints of a pool as they come and go. */
export interface PoolMembers {
  added?(endpoint: Endpoint): void;
  /** It gets nothing new; sessions may still lead to it. */
  removed?(endpoint: Endpoint): void;
}

/**
 * The targets of one kind of one route, each with as many endpoints as its host has addresses now. Picks among them;
 * who they are and how they do is the context's to remember.
 */
export class Pool implements PoolRecord {
  readonly route: string;
  readonly kind: UpstreamKind;
  readonly targets: readonly Target[];
  /** Milliseconds for a whole dial. */
  readonly timeoutMs: number;
  readonly context: UpstreamContext;
  /** What health checks prove themselves with; undefined where they do not. */
  readonly proof: ProofSource | undefined;
  /** Which version of HTTP its connections are dialled for. */
  readonly http2: Http2Mode;
  readonly #connector: Connector;
  readonly #watches: readonly HostWatch[];
  readonly #byTarget = new Map<Target, readonly Endpoint[]>();
  readonly #members: PoolMembers[] = [];
  readonly #stopChecks: (() => void) | undefined;
  #endpoints: readonly Endpoint[] = [];
  #isClosed = false;

  /** Throws CertificateError if a file of the route's `tls` does not serve. */
  constructor(route: RouteConfig, kind: UpstreamKind, context: UpstreamContext, proof?: ProofSource) {
    this.route = route.name;
    this.kind = kind;
    this.targets = targetsOf(route.upstream, kind);
    this.timeoutMs = route.timeouts.handshake;
    this.context = context;
    this.proof = proof;
    const isSession = kind === 'poll' || kind === 'post';
    this.http2 = (isSession && sessionConfigOf(route.upstream)?.http2) || 'off';
    const isSecure = this.targets.some(({ secure }) => secure);
    this.#connector = new Connector(route.upstream, { context, kind, isSecure, http2: this.http2 });
    const { resolver, now } = context;
    const lookUp = route.upstream.resolver ?? 'dns';
    this.#watches = this.targets.map((target) => {
      const onChange = (addresses: readonly string[]) => this.#place(target, addresses);
      return new HostWatch(target.socketPath ?? target.host, { resolver, kind: lookUp, now, onChange });
    });
    for (const watch of this.#watches) watch.start();
    const { health } = route.upstream;
    this.#stopChecks = health === undefined ? undefined : startChecks(this, kind, health);
    context.pools.add(this);
  }

  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  /** Tells of every endpoint there is, and of those to come. */
  follow(members: PoolMembers): void {
    this.#members.push(members);
    for (const endpoint of this.#endpoints) members.added?.(endpoint);
  }

  /**
   * Waits for the first addresses, where there are none yet. Undefined if there are some, which costs nothing. Never
   * rejects: `pick` then has nothing to give, and `unresolved` says why.
   */
  ready(signal: AbortSignal): Promise<void> | undefined {
    if (this.#endpoints.length > 0 || this.#isClosed) return undefined;
    return new Promise((resolve) => {
      const refreshes = this.#watches.map(async (watch) => {
        await watch.refresh();
        if (this.#endpoints.length > 0) finish();
      });
      void Promise.all(refreshes).then(finish);
      signal.addEventListener('abort', finish, { once: true });
      if (signal.aborted) finish();
      function finish(): void {
        signal.removeEventListener('abort', finish);
        resolve();
      }
    });
  }

  /**
   * A place at the best endpoint that is not among `except`: of those that are well or due for a probe, or, if there
   * are none, of those that are out. Undefined if all are among `except`.
   */
  pick(policy: Policy, asking: Asking, except?: ReadonlySet<Endpoint>): Lease | undefined {
    const now = this.context.now();
    const left = except?.size ? this.#endpoints.filter((one) => !except.has(one)) : this.#endpoints;
    if (left.length === 0) return undefined;
    const isUsable = (endpoint: Endpoint) => endpoint.standing.state(now) !== 'out';
    // As a rule all are: nothing is copied then.
    const usable = left.every(isUsable) ? left : left.filter(isUsable);
    const candidates = usable.length > 0 ? usable : left;
    const [only] = candidates;
    const endpoint = candidates.length === 1 && only ? only : policy(candidates, asking, now);
    return new Lease(endpoint, this.context);
  }

  /** Opens a socket to an endpoint, as its Connector does. Rejects with a GatewayError. */
  connect(endpoint: Spot, signal: AbortSignal, opening?: Opening): Promise<Socket> {
    return this.#connector.connect(endpoint, signal, opening);
  }

  /** The targets whose name has no address, and why. */
  unresolved(): DialFailure[] {
    return this.#watches.flatMap(({ failure }, index) => {
      const target = this.targets[index]?.name ?? '';
      const details = { detail: 'its name has no address', cause: failure };
      return failure ? [{ target, error: new GatewayError('UPSTREAM_REFUSED', details) }] : [];
    });
  }

  /** Gives nothing any more; what is open stays open. Again is a no-op. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.context.pools.delete(this);
    for (const watch of this.#watches) watch.close();
    this.#stopChecks?.();
    this.#connector.close();
    this.#replace([]);
  }

  #place(target: Target, addresses: readonly string[]): void {
    const isLate = this.#byTarget.has(target);
    const { endpoints } = this.context;
    const own = addresses.map((address) => endpoints.obtain(this.route, target, address, isLate));
    this.#byTarget.set(target, own);
    this.#replace(this.targets.flatMap((each) => this.#byTarget.get(each) ?? []));
  }

  #replace(endpoints: readonly Endpoint[]): void {
    const before = this.#endpoints;
    this.#endpoints = endpoints;
    for (const endpoint of before) {
      if (endpoints.includes(endpoint)) continue;
      for (const member of this.#members) member.removed?.(endpoint);
      this.context.endpoints.drop(endpoint);
    }
    for (const endpoint of endpoints) {
      if (before.includes(endpoint)) continue;
      endpoint.pools += 1;
      for (const member of this.#members) member.added?.(endpoint);
    }
  }
}
