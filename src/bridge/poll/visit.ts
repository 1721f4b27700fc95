import type { Duplex } from 'node:stream';
import { GatewayError } from '../../errors.ts';
import { Closing, type End, failed } from '../closing.ts';
import type { Ending, PeerName, SessionHandle, Traffic } from '../contract.ts';
import { BridgeLink } from '../link.ts';
import { PollClient } from './client.ts';
import type { LingeringSession, Visitor } from './lingering.ts';
import type { Message } from './profile.ts';

/**
 * Carries messages between a client and a session that outlives it; `received` are the messages that the client says it has.
 * Resolves with how the connection ended, and with `lingers` where the session goes on without it. Never rejects.
 */
export function runVisit(
  lingering: LingeringSession,
  received: number | undefined,
  socket: Duplex,
  head: Buffer,
  session: SessionHandle,
): Promise<Ending> {
  return new Visit(lingering, socket, session).run(received, head);
}

/**
 * A connection of one client, with the session for its other end: told how the connection ends, the session ends too, or goes
 * on without it.
 *
 *     open → told → left (the session goes on) | over (it has ended)
 */
class Visit implements End, Visitor {
  readonly name = 'upstream';
  readonly closing: Closing;
  readonly #lingering: LingeringSession;
  readonly #session: SessionHandle;
  readonly #client: PollClient;
  isTold = false;
  isFinished = false;
  #isLeft = false;

  constructor(lingering: LingeringSession, socket: Duplex, session: SessionHandle) {
    this.closing = new Closing({ closeMs: session.closeMs, relaysClose: false });
    this.#lingering = lingering;
    this.#session = session;
    this.#client = new PollClient({
      socket,
      session,
      events: this.closing,
      onMessage: (message) => this.#onMessage(message),
      onSilence: () => this.closing.begin(failed(new GatewayError('PEER_SILENT')), 'client'),
    });
    this.closing.join(this.#client.peer, this);
  }

  async run(received: number | undefined, head: Buffer): Promise<Ending> {
    const { peer } = this.#client;
    const isIn = this.#lingering.enter(this, received);
    const closing = {
      begin: (ending: Ending, silent?: PeerName) => this.#endSession(ending, silent),
      destroy: () => this.closing.destroy(),
    };
    this.#session.attach(new BridgeLink(closing, [peer, this], this.#lingering.push));
    if (!isIn) this.closing.begin(failed(new GatewayError('RESUME_GONE')));
    this.#lingering.start();
    peer.start(head);
    const ending = await this.closing.done;
    // What came behind the end of the session counts, too.
    if (!this.#isLeft) this.#session.undelivered = this.#lingering.undelivered;
    if (!this.#isLeft) return ending;
    return { ...ending, lingers: this.#lingering.absenceOf(this) ?? Promise.resolve(undefined) };
  }

  // What the session sees of the client.

  get taken(): Traffic {
    return this.#session.down;
  }

  deliver(messages: readonly Message[]): Promise<boolean> {
    return this.#client.deliver(messages);
  }

  confirm(signal: AbortSignal): Promise<boolean> {
    return this.#client.confirm(signal);
  }

  onFull(): void {
    this.#client.peer.source.hold();
  }

  onRoom(): void {
    this.#client.peer.source.release();
  }

  // What the connection sees of the session.

  tell(ending: Ending): void {
    if (this.isTold) return;
    this.isTold = true;
    this.#isLeft = this.#lingering.leave(this, ending);
    if (this.#isLeft) this.#finish();
    else void this.#lingering.over.then(() => this.#onOver());
  }

  limit(): void {}

  release(): void {
    if (!this.#isLeft) this.#lingering.giveUp();
  }

  destroy(): void {
    if (!this.#isLeft) this.#lingering.abandon();
  }

  ping(): void {}

  silence(): undefined {
    return undefined;
  }

  bury(): void {}

  /** Its service knows the session by this connection until it has another. */
  #endSession(ending: Ending, silent?: PeerName): void {
    if (this.#lingering.absenceOf(this)) this.#lingering.end(ending);
    else this.closing.begin(ending, silent);
  }

  /** What comes from a client that has been given up is not sent: another one goes on, or will. */
  #onMessage(message: Message): void {
    if (this.#lingering.take(this, message)) return;
    this.#session.undelivered = (this.#session.undelivered ?? 0) + 1;
  }

  #onOver(): void {
    this.#finish();
    this.closing.onProgress();
  }

  #finish(): void {
    this.isFinished = true;
    this.closing.onClosed(this);
  }
}
