import type { Ending } from '../bridge/contract.ts';
import type { GatewayError } from '../errors.ts';
import type { Observer } from '../observe/index.ts';
import { Session, type SessionParts } from './session.ts';

/** All open connections: who opens one registers it here, and `end` is its undo. */
export class Sessions {
  /** By what its service knows each by. */
  readonly #open = new Map<string, Session>();
  readonly #observer: () => Observer;
  #onEmpty: (() => void) | undefined;

  /** The observer is asked for at each use: metrics are made from this registry, and so after it. */
  constructor(observer: () => Observer) {
    this.#observer = observer;
  }

  get size(): number {
    return this.#open.size;
  }

  [Symbol.iterator](): Iterator<Session> {
    return this.#open.values();
  }

  /** The open connection that its service knows by this id. */
  find(connectionId: string): Session | undefined {
    return this.#open.get(connectionId);
  }

  /** Registers a connection whose 101 is written, and tells the observers. */
  open(parts: SessionParts): Session {
    const session = new Session(parts);
    this.#open.set(session.connectionId, session);
    this.#observer().opened(session, parts.phases);
    return session;
  }

  /** Takes a connection out that has ended, and tells the observers. Once only; later calls are no-ops. */
  end(session: Session, ending: Ending): void {
    if (this.find(session.connectionId) !== session) return;
    this.#open.delete(session.connectionId);
    session.stop();
    const { error } = ending;
    const detail = error && { code: error.code, detail: error.detail, cause: error.cause };
    this.#observer().ended(session, ending, session.durationMs, detail);
    if (this.#open.size === 0) this.#onEmpty?.();
  }

  /** Asks every connection to close with an error's code. Resolves when all have, or destroys the rest at the deadline. */
  async drain(error: GatewayError, deadlineMs: number): Promise<void> {
    if (this.#open.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onEmpty = resolve;
    const timer = setTimeout(() => this.#destroyAll(), deadlineMs);
    for (const session of this) session.close(error);
    await promise;
    clearTimeout(timer);
  }

  #destroyAll(): void {
    for (const session of this) session.destroy();
  }
}
