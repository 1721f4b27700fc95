import type { EndpointRecord, UpstreamContext } from '../context.ts';

/**
 * One rule of `allow` as metrics see it: whatever clients name, there are no more labels than rules. How the targets of a rule
 * do, nobody knows.
 */
export class RuleRecord implements EndpointRecord {
  readonly route: string;
  readonly name: string;
  /** Sessions by this rule, dials under way among them. */
  live = 0;
  readonly #context: UpstreamContext;

  constructor(route: string, name: string, context: UpstreamContext) {
    this.route = route;
    this.name = name;
    this.#context = context;
  }

  /** A dial begins. */
  begin(): RuleUse {
    return new RuleUse(this, this.#context);
  }
}

/**
 * One dial by a rule, and the session that comes of it.
 *
 *   dialling ──opened──→ open ──over──→ over
 *      └───────────over───────────────→ over
 */
export class RuleUse {
  readonly #record: RuleRecord;
  readonly #context: UpstreamContext;
  readonly #startedAt: number;
  #state: 'dialling' | 'open' | 'over' = 'dialling';

  constructor(record: RuleRecord, context: UpstreamContext) {
    this.#record = record;
    this.#context = context;
    this.#startedAt = context.now();
    record.live += 1;
  }

  /** Milliseconds since it began. */
  get ageMs(): number {
    return this.#context.now() - this.#startedAt;
  }

  /** The dial has worked. */
  opened(): void {
    this.#state = 'open';
    this.#tell('connected');
  }

  /** The dial has come to nothing, for the reason given; or the session is over. Again is a no-op. */
  over(outcome = 'abandoned'): void {
    if (this.#state === 'over') return;
    if (this.#state === 'dialling') this.#tell(outcome);
    this.#state = 'over';
    this.#record.live -= 1;
  }

  #tell(outcome: string): void {
    this.#context.observer.dialled(this.#record, outcome, this.ageMs);
  }
}
