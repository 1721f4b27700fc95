import type { Socket } from 'node:net';
import { asGatewayError, type DialFailure, GatewayError } from '../errors.ts';
import type { Asking, Policy } from './balance/policy.ts';
import type { Opening } from './connector.ts';
import type { Endpoint } from './endpoint.ts';
import type { Lease } from './lease.ts';
import type { Pool } from './pool.ts';
import { race, type Share, type Win } from './race.ts';

/** What a dial is made for. */
export interface DialRequest<R> {
  readonly policy: Policy;
  readonly asking: Asking;
  /** Aborts at the deadline, or when the client leaves. */
  readonly signal: AbortSignal;
  /**
   * What makes the upstream's side ready on a socket that is open: a handshake, or nothing. Destroys the socket if it
   * fails. No byte of the client's messages may have been sent by then, so that another endpoint can be asked.
   */
  readonly join: (socket: Socket, endpoint: Endpoint, signal: AbortSignal) => R | Promise<R>;
  /** The place to begin with; absent: the pool picks. */
  readonly first?: Lease;
  readonly opening?: Opening;
}

/** An upstream that is ready, and the place at it, which the session releases when it ends. */
export interface Dialled<R> {
  readonly value: R;
  readonly lease: Lease;
}

/** RFC 8305 leaves the number to us: so many addresses are dialled for one client, and no more. */
const MAX_ATTEMPTS = 6;

/**
 * Dials a pool. The policy's choice goes first. If it has not connected after 250 ms, the next best is dialled beside
 * it, and so on, whether that is another target, another address of the same name or the same host in the other
 * family: whoever connects first is used (RFC 8305). One that fails makes room for the next at once. Each has its
 * share of the pool's time, a lone one has all of it; at most six are tried.
 *
 * Rejects with the failure itself if the upstream has answered or there is one target only, else with
 * NO_HEALTHY_UPSTREAM; its `dials` names all that failed.
 */
export async function dial<R>(pool: Pool, request: DialRequest<R>): Promise<Dialled<R>> {
  const waiting = pool.ready(request.signal);
  if (waiting !== undefined) await waiting;
  return pool.endpoints.length === 1 && pool.targets.length === 1
    ? dialOnly(pool, request)
    : new Search(pool, request).run();
}

/**
 * A place at the policy's choice without a dial, for sessions that outlast a service which is away. Rejects where no
 * name has an address.
 */
export async function place(pool: Pool, policy: Policy, asking: Asking, signal: AbortSignal): Promise<Lease> {
  const waiting = pool.ready(signal);
  if (waiting !== undefined) await waiting;
  const lease = pool.pick(policy, asking);
  if (lease === undefined) throw failureOf(pool, []);
  lease.reused();
  return lease;
}

/** Without shares and races: a handshake with the one address there is pays for nothing it cannot use. */
async function dialOnly<R>(pool: Pool, request: DialRequest<R>): Promise<Dialled<R>> {
  const { signal, policy, asking, join, opening } = request;
  const startedAt = pool.context.now();
  const lease = request.first ?? pool.pick(policy, asking);
  if (lease === undefined) throw failureOf(pool, []);
  const { endpoint } = lease;
  try {
    const value = await join(await pool.connect(endpoint, signal, opening), endpoint, signal);
    lease.opened();
    return { value, lease };
  } catch (thrown) {
    const error = asGatewayError(thrown);
    settle(lease, error, signal, pool, startedAt);
    throw failureOf(pool, [{ target: endpoint.name, error }]);
  }
}

/** One dial among several endpoints. */
class Search<R> {
  readonly #pool: Pool;
  readonly #request: DialRequest<R>;
  readonly #startedAt: number;
  readonly #shareMs: number;
  readonly #failures: DialFailure[] = [];
  /** Being dialled, or failed. */
  readonly #tried = new Set<Endpoint>();
  #first: Lease | undefined;
  #left = MAX_ATTEMPTS;

  constructor(pool: Pool, request: DialRequest<R>) {
    this.#pool = pool;
    this.#request = request;
    this.#first = request.first;
    this.#startedAt = pool.context.now();
    const count = Math.min(Math.max(pool.endpoints.length, 1), MAX_ATTEMPTS);
    this.#shareMs = Math.ceil(pool.timeoutMs / count);
  }

  async run(): Promise<Dialled<R>> {
    for (;;) {
      const win = await this.#connect();
      if (win === undefined) throw failureOf(this.#pool, this.#failures);
      try {
        return await this.#join(win);
      } catch (thrown) {
        const error = this.#failed(win.candidate, thrown);
        if (error.isAnswer) throw failureOf(this.#pool, this.#failures);
      } finally {
        win.share.end();
      }
    }
  }

  /** Undefined when nothing is left to try. */
  async #connect(): Promise<Win<Lease, Socket> | undefined> {
    const { signal, opening } = this.#request;
    const course = {
      next: () => this.#next(),
      attempt: ({ endpoint }: Lease, share: AbortSignal) => this.#pool.connect(endpoint, share, opening),
      failed: (lease: Lease, thrown: unknown) => void this.#failed(lease, thrown),
      lost: (lease: Lease, outpaced: boolean) => this.#lost(lease, outpaced),
    };
    try {
      return await race(course, { signal, shareMs: this.#shareMs });
    } catch {
      return undefined;
    }
  }

  async #join({
    candidate,
    prize,
    share,
  }: {
    candidate: Lease;
    prize: Socket;
    share: Share;
  }): Promise<Dialled<R>> {
    const value = await this.#request.join(prize, candidate.endpoint, share.signal);
    candidate.opened();
    return { value, lease: candidate };
  }

  #next(): Lease | undefined {
    if (this.#left-- <= 0) return undefined;
    const { policy, asking } = this.#request;
    const lease = this.#first ?? this.#pool.pick(policy, asking, this.#tried);
    this.#first = undefined;
    if (lease !== undefined) this.#tried.add(lease.endpoint);
    return lease;
  }

  #failed(lease: Lease, thrown: unknown): GatewayError {
    const error = asGatewayError(thrown);
    settle(lease, error, this.#request.signal, this.#pool, this.#startedAt);
    this.#failures.push({ target: lease.endpoint.name, error });
    return error;
  }

  /** Worth another try, should the winner's handshake fail. */
  #lost(lease: Lease, outpaced: boolean): void {
    this.#tried.delete(lease.endpoint);
    if (outpaced) lease.outpaced();
    else lease.release();
  }
}

/**
 * Takes the endpoint out, unless it is not to blame: it has answered, or the client has left. Which of the two has
 * ended the dial, the deadline or the client, the signal does not say; half the time without success is blame enough.
 */
function settle(lease: Lease, error: GatewayError, signal: AbortSignal, pool: Pool, startedAt: number): void {
  const hasLeft = signal.aborted && pool.context.now() - startedAt < pool.timeoutMs / 2;
  if (error.isAnswer) lease.opened();
  if (!error.isAnswer && !hasLeft) lease.failed(error.code);
  lease.release();
}

function failureOf(pool: Pool, failures: readonly DialFailure[]): GatewayError {
  const dials = failures.length > 0 ? failures : pool.unresolved();
  const last =
    dials.at(-1)?.error ?? new GatewayError('UPSTREAM_TIMEOUT', { detail: 'while looking its name up' });
  const isTelling = pool.targets.length === 1 || last.isAnswer;
  const error = isTelling ? last : new GatewayError('NO_HEALTHY_UPSTREAM');
  error.dials = dials;
  return error;
}
