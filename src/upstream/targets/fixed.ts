import type { RouteConfig } from '../../config/schema.ts';
import { GatewayError } from '../../errors.ts';
import type { UpstreamContext } from '../context.ts';
import { Pool } from '../pool.ts';
import { type Reach, reachPool } from '../reach.ts';
import { readAsked } from './asked.ts';

/**
 * The way to services that the configuration names. Clients that could choose elsewhere name one all the same, by the
 * parameter that Neon's driver sends: with TARGET_FIXED those are refused that would get another than they ask for.
 */
export class FixedTargets {
  readonly #pool: Pool;
  readonly #names: ReadonlySet<string | undefined>;
  readonly #reach: Reach;

  /** Throws CertificateError if a file of the route's `tls` does not serve. */
  constructor(config: RouteConfig, context: UpstreamContext) {
    this.#pool = new Pool(config, 'tcp', context);
    this.#names = new Set(
      this.#pool.targets
        .filter(({ socketPath }) => socketPath === undefined)
        .map(({ authority }) => readAsked(authority)?.text),
    );
    this.#reach = reachPool(this.#pool, config.upstream.balance);
  }

  readonly reach: Reach = async (request, signal) => {
    for (const address of new URLSearchParams(request.query).getAll('address')) this.#check(address);
    return this.#reach(request, signal);
  };

  close(): void {
    this.#pool.close();
  }

  #check(address: string): void {
    const name = readAsked(address)?.text;
    if (name !== undefined && this.#names.has(name)) return;
    throw new GatewayError('TARGET_FIXED', { detail: `?address=${name ?? ' is no host:port'}` });
  }
}
