import type { Duplex } from 'node:stream';
import type { GatewayError } from '../../../errors.ts';
import { type CloseStatus, NORMAL } from '../../../frames/close.ts';
import type { Sink } from '../../../stream/sink.ts';
import type { Source } from '../../../stream/source.ts';
import type { TcpMessage } from '../../../tcp-protocol/types.ts';
import { LOST } from '../../absence.ts';
import { Closing, type End } from '../../closing.ts';
import type { Ending, Link, PeerName } from '../../contract.ts';
import { BridgeLink } from '../../link.ts';
import { MessageClient } from './client.ts';
import { Conversation, type ConversationParts } from './conversation.ts';
import { tokenOf } from './reasons.ts';
import type { Visitor } from './visitor.ts';

export interface VisitParts extends ConversationParts {
  readonly socket: Duplex;
}

/** Both directions are through: the client's Close says that it knows. */
const THROUGH: Ending = {
  code: NORMAL,
  reason: 'The upstream closed the connection.',
  by: 'upstream',
  clean: true,
};

/**
 * Carries a connection through one WebSocket; `head` is what came behind its handshake. Resolves with how the WebSocket
 * ended, and with `lingers` where the connection goes on without one. Never rejects.
 */
export function runVisit(parts: VisitParts, head: Buffer): Promise<Ending> {
  return new Visit(parts).run(head);
}

/**
 * A WebSocket of one client, with the connection for its other end: told how the WebSocket ends, the connection ends too, or
 * goes on without it.
 *
 *     open → told → left (the connection goes on) | over (it has ended)
 */
class Visit implements End, Visitor {
  readonly name = 'upstream';
  readonly closing: Closing;
  readonly #parts: VisitParts;
  readonly #client: MessageClient;
  readonly #conversation: Conversation;
  isTold = false;
  #isLeft = false;

  constructor(parts: VisitParts) {
    const { socket, session } = parts;
    this.#parts = parts;
    this.closing = new Closing({ closeMs: session.closeMs, relaysClose: true });
    this.#conversation = new Conversation(parts, this);
    this.#client = new MessageClient({
      socket,
      session,
      events: this.closing,
      handler: this.#conversation,
      onChunk: () => this.flush(),
      beforeClose: (status, error) => this.#sayWhy(status, error),
    });
    this.closing.join(this.#client.peer, this);
  }

  async run(head: Buffer): Promise<Ending> {
    this.#parts.session.attach(this.#link());
    this.#conversation.begin();
    this.#client.peer.start(head);
    const ending = await this.closing.done;
    this.#conversation.stop();
    const lingers = this.#connection?.absenceOf(this);
    return this.#isLeft && lingers ? { ...ending, lingers } : ending;
  }

  // What the connection sees of the client.

  send(message: TcpMessage): void {
    this.#client.send(message);
  }

  sendData(bytes: Buffer): void {
    this.#client.sendData(bytes);
  }

  feed(sink: Sink): void {
    this.#client.peer.source.feed(sink, true);
  }

  takeFrom(source: Source): void {
    source.feed(this.#client.peer.sink);
  }

  flush(): void {
    this.#conversation.flush();
  }

  conclude(): void {
    this.closing.begin(THROUGH);
  }

  // What the WebSocket sees of the connection.

  /** It is waited for until it is closed, not for anything that it may still say. */
  get isFinished(): boolean {
    return this.isTold;
  }

  tell(ending: Ending): void {
    if (this.isTold) return;
    this.flush();
    this.isTold = true;
    const connection = this.#connection;
    const isUnheard = ending === THROUGH && this.#client.peer.closeStatus === undefined;
    this.#isLeft = connection?.leave(this, isUnheard ? LOST : ending) ?? true;
    if (this.#isLeft) this.closing.onClosed(this);
    else void connection?.over.then(() => this.closing.onClosed(this));
    // Whoever was to be told after it may be told now.
    queueMicrotask(() => this.closing.onProgress());
  }

  limit(): void {}

  release(): void {}

  destroy(): void {
    if (!this.#isLeft) this.#connection?.abandon();
  }

  ping(): void {
    this.#connection?.service.ping();
  }

  silence(now: number): number | undefined {
    return this.#connection?.service.silence(now);
  }

  bury(): void {
    this.#connection?.service.bury();
  }

  get #connection() {
    return this.#conversation.connection;
  }

  /** Right before our Close: told as RESET or FAILED, unless all is through, or the client has ended it itself. */
  #sayWhy({ code, reason: text }: CloseStatus, error: GatewayError | undefined): void {
    if (this.#conversation.isReset || this.#client.peer.closeStatus !== undefined) return;
    if (code === NORMAL && this.#connection?.isFinSent) return;
    const type = this.#connection === undefined ? 'FAILED' : 'RESET';
    this.send({ type, code, error: error === undefined ? '' : tokenOf(error), text });
  }

  /** The connection goes by this one's name until it has another. */
  #link(): Link {
    const begin = (ending: Ending, silent?: PeerName) => {
      if (this.#connection?.absenceOf(this)) this.#connection.end(ending);
      else this.closing.begin(ending, silent);
    };
    return new BridgeLink({ begin, destroy: () => this.closing.destroy() }, [this.#client.peer, this]);
  }
}
