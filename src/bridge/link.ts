import type { Closing, End } from './closing.ts';
import type { Ending, Link, PeerName, Silence } from './contract.ts';

/** How a session reaches a bridge of two ends that `closing` ends, and may push to its client. */
export class BridgeLink implements Link {
  readonly push: Link['push'];
  readonly #closing: Pick<Closing, 'begin' | 'destroy'>;
  readonly #ends: readonly End[];

  constructor(closing: Pick<Closing, 'begin' | 'destroy'>, ends: readonly End[], push?: Link['push']) {
    this.#closing = closing;
    this.#ends = ends;
    this.push = push;
  }

  ping(): void {
    for (const end of this.#ends) end.ping();
  }

  get roundTripMs(): number | undefined {
    return this.#ends.find(({ name }) => name === 'client')?.roundTripMs;
  }

  unresponsivePeer(now: number): Silence | undefined {
    let longest: Silence | undefined;
    for (const end of this.#ends) {
      const forMs = end.silence(now);
      if (forMs !== undefined && forMs >= (longest?.forMs ?? 0)) longest = { name: end.name, forMs };
    }
    return longest;
  }

  close(ending: Ending, silent?: PeerName): void {
    this.#closing.begin(ending, silent);
  }

  destroy(): void {
    this.#closing.destroy();
  }
}
