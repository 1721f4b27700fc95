import type { Logger } from 'pino';
import { GatewayError } from '../errors.ts';
import type { Sessions } from '../session/registry.ts';
import type { Closers } from './closers.ts';

/** The end of a gateway: its sessions first, then all that it has opened. */
export class Drain {
  readonly #sessions: Sessions;
  readonly #closers: Closers;
  readonly #logger: Logger;
  #done: Promise<void> | undefined;

  constructor(sessions: Sessions, closers: Closers, logger: Logger) {
    this.#sessions = sessions;
    this.#closers = closers;
    this.#logger = logger;
  }

  get hasBegun(): boolean {
    return this.#done !== undefined;
  }

  /** Resolves when all is closed; again it is the same end. */
  begin(deadlineMs: number): Promise<void> {
    this.#done ??= this.#run(deadlineMs);
    return this.#done;
  }

  async #run(deadlineMs: number): Promise<void> {
    this.#logger.info({ connections: this.#sessions.size, deadlineMs }, 'draining');
    await this.#sessions.drain(new GatewayError('GOING_AWAY'), deadlineMs);
    await this.#closers.run();
    this.#logger.info('stopped');
  }
}
