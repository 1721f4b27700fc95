import type { ServiceAddress } from '../../config/fields.ts';
import type { RouteConfig } from '../../config/schema.ts';
import type { TableConfig } from '../../config/tcp/table.ts';
import { targetFields } from '../../config/tcp/template.ts';
import { asGatewayError, type ChosenTarget, GatewayError } from '../../errors.ts';
import type { UpstreamContext } from '../context.ts';
import type { AdmittedRequest } from '../forward.ts';
import { Pool } from '../pool.ts';
import { type Reach, type Reached, reachPool } from '../reach.ts';
import { readAsked } from './asked.ts';
import { compileFill, type FillTarget, malformedTarget, namingClaims } from './fill.ts';
import { type TableDeps, TargetTable } from './table.ts';

/** A service of the table that is in use. */
interface InUse {
  readonly pool: Pool;
  readonly reach: Reach;
  /** Dials under way. */
  dialling: number;
}

/** So many of a table's services are kept known, with their addresses and how they do; of a long table most sleep. */
const MAX_POOLS = 256;

/** The way to services that the configuration lists, and clients choose by name. */
export class ListedTargets {
  readonly #config: RouteConfig;
  readonly #context: UpstreamContext;
  readonly #table: TargetTable;
  readonly #fill: FillTarget;
  readonly #namedBy: readonly string[];
  /** Names of this route come in the query, where secrets are: as a rule they let in whoever knows them. */
  readonly #isSecret: boolean;
  /** By their addresses, the least lately used first. */
  readonly #pools = new Map<string, InUse>();

  /** Throws ConfigError if the file of the table does not serve. */
  constructor(
    config: RouteConfig,
    { template, targets }: { readonly template: string; readonly targets: TableConfig },
    context: UpstreamContext,
    deps: TableDeps,
  ) {
    this.#config = config;
    this.#context = context;
    this.#fill = compileFill(template, malformedTarget(template, true));
    this.#namedBy = namingClaims(template);
    this.#isSecret = targetFields(template).some(({ from }) => from === 'query');
    this.#table = new TargetTable(targets, deps, (entries) => this.#closeAllBut(entries));
  }

  /** As Reach says. Rejects with TARGET_MALFORMED or TARGET_REFUSED, too. */
  async reach(request: AdmittedRequest, signal: AbortSignal): Promise<Reached> {
    let chosen: ChosenTarget = {};
    try {
      const name = this.#fill(request);
      chosen = { rule: this.#isSecret && readAsked(name) === undefined ? undefined : name };
      const where = this.#table.find(name);
      if (where === undefined)
        throw new GatewayError('TARGET_REFUSED', { detail: 'no target has that name' });
      const reached = await this.#dial(where, request, signal);
      return { ...reached, namedBy: this.#namedBy, chosen };
    } catch (thrown) {
      const error = asGatewayError(thrown);
      error.chosen = chosen;
      throw error;
    }
  }

  /** Again is a no-op. */
  close(): void {
    this.#table.close();
    this.#closeAllBut([]);
  }

  async #dial(where: ServiceAddress, request: AdmittedRequest, signal: AbortSignal): Promise<Reached> {
    const used = this.#obtain(where);
    used.dialling += 1;
    try {
      return await used.reach(request, signal);
    } finally {
      used.dialling -= 1;
    }
  }

  #obtain(where: ServiceAddress): InUse {
    const key = JSON.stringify(where);
    const used = this.#pools.get(key) ?? this.#open(where);
    this.#pools.delete(key);
    this.#pools.set(key, used);
    if (this.#pools.size > MAX_POOLS) this.#closeOldest();
    return used;
  }

  #open(where: ServiceAddress): InUse {
    const { upstream } = this.#config;
    const one = { ...upstream, tcp: [where], balance: undefined, health: undefined };
    const pool = new Pool({ ...this.#config, upstream: one }, 'tcp', this.#context);
    return { pool, reach: reachPool(pool, undefined), dialling: 0 };
  }

  #closeOldest(): void {
    for (const [key, { pool, dialling }] of this.#pools) {
      if (dialling > 0) continue;
      this.#pools.delete(key);
      pool.close();
      return;
    }
  }

  /** Sessions with those that are listed no more go on. */
  #closeAllBut(entries: Iterable<ServiceAddress>): void {
    const kept = new Set([...entries].map((where) => JSON.stringify(where)));
    for (const [key, { pool }] of this.#pools) {
      if (kept.has(key)) continue;
      this.#pools.delete(key);
      pool.close();
    }
  }
}
