import type { Duplex } from 'node:stream';
import { GatewayError } from '../../errors.ts';
import { Closing, type End, failed } from '../closing.ts';
import type { Ending, SessionHandle } from '../contract.ts';
import { createLink } from '../link.ts';
import { PollClient } from './client.ts';
import type { LingeringSession, Visitor } from './lingering.ts';

/**
 * Carries messages between a client and a session that outlives it; `received` are the messages that the client says it has.
 * Resolves with how the connection ended, and with `lingers` where the session goes on. Never rejects.
 */
export async function runVisit(
  lingering: LingeringSession,
  received: number | undefined,
  socket: Duplex,
  head: Buffer,
  session: SessionHandle,
): Promise<Ending> {
  const closing = new Closing({ closeMs: session.closeMs, relaysClose: false });
  const client = new PollClient({
    socket,
    session,
    events: closing,
    onMessage(message) {
      if (!lingering.take(visitor, message)) session.undelivered = (session.undelivered ?? 0) + 1;
    },
    onSilence: () => closing.begin(failed(new GatewayError('PEER_SILENT')), 'client'),
  });
  const { peer } = client;
  const visitor: Visitor = {
    closing,
    taken: session.down,
    deliver: (messages) => client.deliver(messages),
    confirm: (signal) => client.confirm(signal),
    hold: () => peer.source.hold(),
    release: () => peer.source.release(),
  };
  const visit = new Visit(lingering, visitor, session);
  closing.join(peer, visit);
  const isIn = lingering.enter(visitor, received);
  const link = createLink(closing, [peer, visit]);
  session.attach({
    ...link,
    push: lingering.push,
    // Its service knows the session by this connection until it has another.
    close(ending, silent) {
      if (visit.isLeft && lingering.isLast(visitor)) lingering.end(ending);
      else link.close(ending, silent);
    },
  });
  if (!isIn) closing.begin(failed(new GatewayError('RESUME_GONE')));
  lingering.start();
  peer.start(head);
  const ending = await closing.done;
  return visit.isLeft && !lingering.hasClient && lingering.isLast(visitor)
    ? { ...ending, lingers: lingering.back }
    : ending;
}

/**
 * The session as a client's connection has it for its other end: told of the end, it ends too, or goes on without the client.
 *
 *     open → told → left (it goes on) | finished (it is over)
 */
class Visit implements End {
  readonly name = 'upstream';
  readonly #lingering: LingeringSession;
  readonly #visitor: Visitor;
  readonly #session: SessionHandle;
  isTold = false;
  isFinished = false;
  /** The session goes on without the client. */
  isLeft = false;

  constructor(lingering: LingeringSession, visitor: Visitor, session: SessionHandle) {
    this.#lingering = lingering;
    this.#visitor = visitor;
    this.#session = session;
  }

  tell(ending: Ending): void {
    if (this.isTold) return;
    this.isTold = true;
    this.isLeft = this.#lingering.leave(this.#visitor, ending);
    if (this.isLeft) this.#finish();
    else void this.#lingering.over.then(() => this.#onOver());
  }

  limit(): void {}

  release(): void {
    if (!this.isLeft) this.#lingering.giveUp();
  }

  destroy(): void {
    if (!this.isLeft) this.#lingering.abandon();
  }

  ping(): void {}

  silence(): undefined {
    return undefined;
  }

  bury(): void {}

  #onOver(): void {
    this.#session.undelivered = this.#lingering.undelivered;
    this.#finish();
    this.#visitor.closing.onProgress();
  }

  #finish(): void {
    this.isFinished = true;
    this.#visitor.closing.onClosed(this);
  }
}
