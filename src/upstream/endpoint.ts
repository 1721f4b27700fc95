import { isIP } from 'node:net';
import type { DialObserver } from './context.ts';
import { type Outage, Standing } from './health/standing.ts';
import type { Target } from './target.ts';

interface EndpointOptions {
  readonly now: () => number;
  readonly random: () => number;
  readonly observer: Pick<DialObserver, 'healthChanged'>;
}

/**
 * One address of a target: what is dialled, counted and judged. A name with three addresses has three, a unix socket is
 * one.
 */
export class Endpoint {
  /** As logs and metrics name it: `10.0.0.7:3000`, `app.internal:3000/10.0.0.7` for a name, `unix:/run/app.sock`. */
  readonly name: string;
  readonly route: string;
  /** Of the configuration that is in force. */
  target: Target;
  /** An IP address, or the path of a unix socket. */
  readonly address: string;
  readonly standing: Standing;
  /** Sessions and requests that lead to it, dials under way among them. */
  live = 0;
  /**
   * Pools that give it new sessions: two while a new configuration takes over, none once its name stands for others.
   */
  pools = 0;
  /** When it was taken out, by the clock of its context. */
  #outAt = 0;

  constructor(route: string, target: Target, address: string, { now, random, observer }: EndpointOptions) {
    this.route = route;
    this.target = target;
    this.address = address;
    this.name = endpointName(target, address);
    this.standing = new Standing(random, (outage) => {
      this.#outAt = now();
      observer.healthChanged(this, outage);
    });
  }

  /** Since when it is not well, and what was met last; undefined if it is. */
  get outage(): (Outage & { readonly at: number }) | undefined {
    const { outage } = this.standing;
    return outage && { ...outage, at: this.#outAt };
  }

  /** It gets nothing new. */
  get isGone(): boolean {
    return this.pools === 0;
  }

  isWell(now: number): boolean {
    return this.standing.state(now) === 'well';
  }

  /** What a balance policy weighs it by. */
  weight(now: number): number {
    return this.target.weight * this.standing.ramp(now);
  }
}

/** The name of a target at one of its addresses. */
export function endpointName({ name, host, socketPath }: Target, address: string): string {
  return socketPath === undefined && isIP(host) === 0 ? `${name}/${address}` : name;
}
