import type { Socket } from 'node:net';
import { asGatewayError } from '../errors.ts';
import type { Asking, Policy } from './balance/policy.ts';
import { dial, place } from './dial.ts';
import type { Endpoint } from './endpoint.ts';
import type { Lease } from './lease.ts';
import type { Pool } from './pool.ts';

/** An HTTP client that keeps connections to one endpoint. */
export interface EndpointClient {
  /** A connection is open that no request uses. */
  isIdle(): boolean;
  /** Drops its connections; again is a no-op. */
  close(): unknown;
  /**
   * Takes a connection that was dialled ahead, for requests to share. Resolves with false if one request at a time will
   * use it; rejects if it does not serve, and then has destroyed it. Absent: it is never shared.
   */
  adopt?(socket: Socket, signal: AbortSignal): Promise<boolean>;
}

/** Gives the client a new connection when it needs one. */
export type Connector = () => Promise<Socket>;

/** A place at an endpoint to which there is a connection. */
export interface Connected<C> {
  readonly lease: Lease;
  readonly client: C;
}

/** A connection that was dialled ahead, and that no request has taken by then, is closed. */
const AHEAD_MS = 4_000;

interface Entry<C> {
  readonly client: C;
  readonly ahead: Ahead;
  /** Whether its connections are shared, as far as is known. */
  isShared: boolean;
  /** A connection being dialled that others can wait for. */
  dialling: Promise<unknown> | undefined;
}

/**
 * The HTTP clients of a pool, one for each endpoint, made when it is first used and closed when it goes. A request
 * gets an endpoint to which a connection is open, or is opened now, before a byte of the request is sent: so another
 * endpoint can be dialled whatever the request is.
 */
export class HttpPool<C extends EndpointClient> {
  readonly #pool: Pool;
  readonly #open: (endpoint: Endpoint, connect: Connector) => C;
  readonly #entries = new Map<Endpoint, Entry<C>>();

  constructor(pool: Pool, open: (endpoint: Endpoint, connect: Connector) => C) {
    this.#pool = pool;
    this.#open = open;
    pool.follow({ removed: (endpoint) => this.settle(endpoint) });
  }

  /**
   * Picks an endpoint and sees to a connection; `isFresh`: to one that has carried nothing yet. `limit` gives the
   * signal that ends the dial, and is asked for it only if there is one. Rejects as `dial` does. Whoever gets the
   * lease releases it with `release` of this pool. What is there already comes at once.
   */
  connect(
    policy: Policy,
    asking: Asking,
    limit: () => AbortSignal,
    isFresh = false,
  ): Connected<C> | Promise<Connected<C>> {
    const first = this.#pool.pick(policy, asking);
    const known = first && this.#entries.get(first.endpoint);
    if (first && known?.client.isIdle() && !isFresh) return reused(first, known.client);
    if (first && known?.dialling && !isFresh) return this.#wait(policy, asking, limit, first);
    return this.#dial(policy, asking, limit(), first);
  }

  /** One connection for many: whoever comes while it is dialled need not dial another. */
  async #wait(policy: Policy, asking: Asking, limit: () => AbortSignal, first: Lease): Promise<Connected<C>> {
    const signal = limit();
    const { client, dialling } = this.#entry(first.endpoint);
    await dialling?.catch(() => {});
    return client.isIdle() ? reused(first, client) : this.#dial(policy, asking, signal, first);
  }

  async #dial(
    policy: Policy,
    asking: Asking,
    signal: AbortSignal,
    first: Lease | undefined,
  ): Promise<Connected<C>> {
    const how = { policy, asking, signal, opening: { autoEnd: true }, ...(first && { first }) };
    const join = (socket: Socket, endpoint: Endpoint, share: AbortSignal) =>
      this.#adopt(socket, this.#entry(endpoint), share);
    const dialled = dial(this.#pool, { ...how, join });
    const entry = first && this.#entry(first.endpoint);
    if (entry?.isShared) entry.dialling ??= dialled;
    try {
      const { lease } = await dialled;
      return { lease, client: this.#entry(lease.endpoint).client };
    } finally {
      if (entry?.dialling === dialled) entry.dialling = undefined;
    }
  }

  /** Gives a connection to those that share it, or keeps it for the request that it was dialled for. */
  async #adopt(socket: Socket, entry: Entry<C>, signal: AbortSignal): Promise<void> {
    const { client, ahead } = entry;
    if (client.adopt) entry.isShared = await client.adopt(socket, signal);
    if (!entry.isShared) ahead.put(socket);
  }

  /** Picks an endpoint, whether or not it can be reached now. Rejects as `place` does. */
  async place(policy: Policy, asking: Asking, signal: AbortSignal): Promise<Connected<C>> {
    const lease = await place(this.#pool, policy, asking, signal);
    return { lease, client: this.#entry(lease.endpoint).client };
  }

  /** Gives a place back. The client of an endpoint that is gone is closed with its last one. */
  release(lease: Lease): void {
    lease.release();
    this.settle(lease.endpoint);
  }

  /** Closes the client of an endpoint that is gone, if nothing leads to it any more. */
  settle(endpoint: Endpoint): void {
    if (this.#pool.endpoints.includes(endpoint) || endpoint.live > 0) return;
    const entry = this.#entries.get(endpoint);
    this.#entries.delete(endpoint);
    void entry?.client.close();
    entry?.ahead.close();
  }

  /** Drops every connection and closes the pool; again is a no-op. */
  async close(): Promise<void> {
    this.#pool.close();
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const { ahead } of entries) ahead.close();
    await Promise.all(entries.map(({ client }) => client.close()));
  }

  #entry(endpoint: Endpoint): Entry<C> {
    const known = this.#entries.get(endpoint);
    if (known !== undefined) return known;
    const ahead = new Ahead();
    const connect = () => ahead.take() ?? this.#reconnect(endpoint);
    const client = this.#open(endpoint, connect);
    const entry = { client, ahead, isShared: client.adopt !== undefined, dialling: undefined };
    this.#entries.set(endpoint, entry);
    return entry;
  }

  /**
   * Another connection for whoever has a place there already: what becomes of it counts for the endpoint's health,
   * too.
   */
  async #reconnect(endpoint: Endpoint): Promise<Socket> {
    const { now, observer } = this.#pool.context;
    const startedAt = now();
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), this.#pool.timeoutMs);
    endpoint.standing.begin(startedAt);
    try {
      const socket = await this.#pool.connect(endpoint, controller.signal, { autoEnd: true });
      endpoint.standing.succeed(now());
      observer.dialled(endpoint, 'connected', now() - startedAt);
      return socket;
    } catch (error) {
      const { code } = asGatewayError(error);
      endpoint.standing.fail(now(), code);
      observer.dialled(endpoint, code, now() - startedAt);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

function reused<C>(lease: Lease, client: C): Connected<C> {
  lease.reused();
  return { lease, client };
}

/** Connections dialled for requests that are about to take them. */
class Ahead {
  readonly #sockets = new Map<Socket, NodeJS.Timeout>();
  #isClosed = false;

  put(socket: Socket): void {
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    this.#sockets.set(
      socket,
      setTimeout(() => socket.destroy(), AHEAD_MS),
    );
    socket.once('close', this.#forget);
  }

  /** Undefined if there is none that is still open. */
  take(): Promise<Socket> | undefined {
    for (const socket of this.#sockets.keys()) {
      socket.off('close', this.#forget);
      clearTimeout(this.#sockets.get(socket));
      this.#sockets.delete(socket);
      if (!socket.destroyed) return Promise.resolve(socket);
    }
    return undefined;
  }

  close(): void {
    this.#isClosed = true;
    for (const [socket, timer] of this.#sockets) {
      clearTimeout(timer);
      socket.destroy();
    }
    this.#sockets.clear();
  }

  readonly #forget = (): void => {
    for (const [socket, timer] of this.#sockets) {
      if (!socket.destroyed) continue;
      clearTimeout(timer);
      this.#sockets.delete(socket);
    }
  };
}
