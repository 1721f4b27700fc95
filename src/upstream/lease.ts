import type { ErrorCode } from '../errors.ts';
import type { UpstreamContext } from './context.ts';
import type { Endpoint } from './endpoint.ts';

/**
 * A place at an endpoint, from before it is dialled to the end of the session: counted all the while, and what the dial
 * says of the endpoint's health is told once.
 *
 *   dialling ──opened, reused──→ open ──failed, release──→ over
 *      └──failed, outpaced, release───────────────────────→ over
 */
export class Lease {
  readonly endpoint: Endpoint;
  readonly #context: UpstreamContext;
  readonly #startedAt: number;
  #state: 'dialling' | 'open' | 'over' = 'dialling';

  constructor(endpoint: Endpoint, context: UpstreamContext) {
    this.endpoint = endpoint;
    this.#context = context;
    this.#startedAt = context.now();
    endpoint.live += 1;
    endpoint.standing.begin(this.#startedAt);
  }

  /** The dial has worked. */
  opened(): void {
    if (this.#state !== 'dialling') return;
    this.#state = 'open';
    const now = this.#context.now();
    this.endpoint.standing.succeed(now);
    this.#context.observer.dialled(this.endpoint, 'connected', now - this.#startedAt);
  }

  /** Nothing is dialled now: a connection stands already, or will be made when it is needed. */
  reused(): void {
    if (this.#state !== 'dialling') return;
    this.#state = 'open';
    this.endpoint.standing.leave();
  }

  /**
   * The dial has failed, or what it opened could not be used: the endpoint is taken out for a while. Ends the lease.
   */
  failed(code: ErrorCode): void {
    this.#blame(code);
  }

  /** Another endpoint was quicker, though this one had a head start. */
  outpaced(): void {
    this.#blame('outpaced');
  }

  /** The session is over, or the dial has been given up for no fault of the endpoint. Again is a no-op. */
  release(): void {
    if (this.#state === 'over') return;
    const wasDialling = this.#state === 'dialling';
    if (wasDialling) this.endpoint.standing.leave();
    this.#end(wasDialling ? 'abandoned' : undefined);
  }

  #blame(outcome: string): void {
    if (this.#state === 'over') return;
    this.endpoint.standing.fail(this.#context.now(), outcome);
    this.#end(this.#state === 'dialling' ? outcome : undefined);
  }

  #end(outcome: string | undefined): void {
    this.#state = 'over';
    this.endpoint.live -= 1;
    const { observer, now, endpoints } = this.#context;
    if (outcome !== undefined) observer.dialled(this.endpoint, outcome, now() - this.#startedAt);
    endpoints.settle(this.endpoint);
  }
}
