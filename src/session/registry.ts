import type { Proof } from '../admission/revocations.ts';
import type { Aftermath, Ending } from '../bridge/contract.ts';
import type { GatewayError } from '../errors.ts';
import type { EndingDetail, Observer } from '../observe/index.ts';
import { inTurns } from './in-turns.ts';
import { Session, type SessionParts } from './session.ts';

/** All open connections: who opens one registers it here, and `end` is its undo. */
export class Sessions {
  readonly #open = new Set<Session>();
  /** Upgrades that are under way, and no sessions yet. */
  readonly #arriving = new Set<(error: GatewayError) => void>();
  /** By what its service knows each by; also those that go on there without a client. */
  readonly #named = new Map<string, Session>();
  /** Those whose clients are lost, and may come back. */
  readonly #lingering = new Set<Session>();
  readonly #observer: () => Observer;
  readonly #ordinals: () => number;
  #onEmpty: (() => void) | undefined;
  #faultOf: ((proof: Proof) => GatewayError | undefined) | undefined;

  /**
   * The observer is asked for at each use: metrics are made from this registry, and so after it. `ordinals` gives each session a
   * higher number than the one before; absent: 1, 2, …
   */
  constructor(observer: () => Observer, ordinals = counting()) {
    this.#observer = observer;
    this.#ordinals = ordinals;
  }

  get size(): number {
    return this.#open.size;
  }

  [Symbol.iterator](): Iterator<Session> {
    return this.#open.values();
  }

  /** All that are open, and those that wait for a lost client. */
  *lasting(): Iterable<Session> {
    yield* this.#open;
    yield* this.#lingering;
  }

  /** The connection that its service knows by this id: the open one, or the last that was, while the session goes on without. */
  find(connectionId: string): Session | undefined {
    return this.#named.get(connectionId);
  }

  /** Registers a connection whose 101 is written, and tells the observers. */
  open(parts: Omit<SessionParts, 'ordinal'>): Session {
    const session: Session = new Session({
      ...parts,
      ordinal: this.#ordinals(),
      onRenamed: (before) => this.#rename(session, before),
    });
    this.#open.add(session);
    this.#named.set(session.connectionId, session);
    this.#observer().opened(session, parts.phases);
    // It may have been revoked while its upstream was dialled.
    this.#judge(session);
    return session;
  }

  /** Takes a connection out that has ended, and tells the observers. Once only; later calls are no-ops. */
  end(session: Session, ending: Ending): void {
    if (!this.#open.delete(session)) return;
    session.stop();
    const { lingers } = ending;
    if (lingers === undefined) this.#forget(session);
    else this.#linger(session, lingers);
    this.#observer().ended(session, ending, session.durationMs, detailOf(ending));
    if (this.#open.size === 0) this.#onEmpty?.();
  }

  /** An upgrade is under way that is no session yet: `dismiss` is called if all are to end meanwhile. Returns the undo. */
  arriving(dismiss: (error: GatewayError) => void): () => void {
    this.#arriving.add(dismiss);
    return () => this.#arriving.delete(dismiss);
  }

  /** Asks every connection to close with an error's code. Resolves when all have, or destroys the rest at the deadline. */
  async drain(error: GatewayError, deadlineMs: number): Promise<void> {
    for (const dismiss of this.#arriving) dismiss(error);
    if (this.#open.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onEmpty = resolve;
    const timer = setTimeout(() => this.#destroyAll(), deadlineMs);
    for (const session of this) session.close(error);
    await promise;
    clearTimeout(timer);
  }

  /** Those that `faultOf` names an error for end with its code: when they are opened, and when they are judged anew. */
  judgeBy(faultOf: (proof: Proof) => GatewayError | undefined): void {
    this.#faultOf = faultOf;
  }

  /** Begins to end all that are not to stay any more, those that wait for a lost client among them. */
  judge(): void {
    const fallen = [...this.lasting()].filter(({ proof }) => this.#faultOf?.(proof) !== undefined);
    void inTurns(fallen, (session) => this.#judge(session));
  }

  #judge(session: Session): void {
    const fault = this.#faultOf?.(session.proof);
    if (fault !== undefined) session.close(fault);
  }

  #rename(session: Session, before: string): void {
    this.#forget(session, before);
    this.#named.set(session.connectionId, session);
  }

  #linger(session: Session, lingers: NonNullable<Ending['lingers']>): void {
    this.#lingering.add(session);
    void lingers.then((aftermath) => this.#onLingered(session, aftermath));
  }

  /** Another connection has the session, or it is over. */
  #onLingered(session: Session, aftermath: Aftermath | undefined): void {
    this.#lingering.delete(session);
    this.#forget(session);
    if (aftermath === undefined) return;
    const { ending, undelivered } = aftermath;
    session.undelivered = undelivered;
    this.#observer().over(session, ending, session.durationMs, detailOf(ending));
  }

  /** Unless its name is another's by now. */
  #forget(session: Session, name = session.connectionId): void {
    if (this.find(name) === session) this.#named.delete(name);
  }

  #destroyAll(): void {
    for (const session of this) session.destroy();
  }
}

function detailOf({ error }: Ending): EndingDetail | undefined {
  return error && { code: error.code, detail: error.detail, cause: error.cause };
}

function counting(): () => number {
  let last = 0;
  return () => ++last;
}
