import { asGatewayError, GatewayError } from '../../../errors.ts';
import { mayBeSent } from '../../../frames/close.ts';
import type { Reason } from '../../../tcp-protocol/types.ts';
import { failed } from '../../closing.ts';
import type { SessionHandle } from '../../contract.ts';
import { Gathered } from '../gathered.ts';
import type { Authentication } from './authentication.ts';
import type { TcpConnection } from './connection.ts';
import type { Entrance, Returning } from './entrance.ts';
import { protocolFault } from './fault.ts';
import type { MessageHandler } from './message-reader.ts';
import type { Visitor } from './visitor.ts';

export interface ConversationParts {
  readonly session: SessionHandle;
  readonly entrance: Entrance;
  readonly authentication: Authentication;
}

type Other = Parameters<MessageHandler['message']>[0];

/**
 * What a client says on one WebSocket, and what is done about it. Throws PROTOCOL_ERROR for what must not be said, or not now.
 *
 *     entering (RESUME is awaited) → open → over (what still comes is for nobody)
 */
export class Conversation implements MessageHandler {
  readonly #parts: ConversationParts;
  readonly #visitor: Visitor;
  readonly #gathered = new Gathered();
  #resumeTimer: NodeJS.Timeout | undefined;
  connection: TcpConnection | undefined;
  /** The client has said RESET. */
  isReset = false;

  constructor(parts: ConversationParts, visitor: Visitor) {
    this.#parts = parts;
    this.#visitor = visitor;
  }

  /** The connection begins, or RESUME is awaited, for a time. */
  begin(): void {
    const { entrance, session } = this.#parts;
    this.connection = entrance.begin(this.#visitor, session);
    if (this.connection !== undefined) return;
    const late = new GatewayError('REQUEST_TIMEOUT', { detail: 'RESUME has not come' });
    this.#resumeTimer = setTimeout(() => this.#visitor.closing.begin(failed(late)), entrance.withinMs);
  }

  /** Nothing is waited for any more. */
  stop(): void {
    clearTimeout(this.#resumeTimer);
  }

  /** Passes on what has come, before what it lies in is read over. */
  flush(): void {
    const payload = this.#gathered.take();
    if (payload !== undefined) this.connection?.write(payload);
  }

  data(bytes: Buffer, from: number, to: number, isFirst: boolean): void {
    if (this.#visitor.isTold) return;
    const connection = this.#entered('DATA');
    const { up } = this.#parts.session;
    if (isFirst) up.messages++;
    up.bytes += to - from;
    connection.receive(to - from);
    this.#gathered.add(bytes, from, to);
  }

  message(message: Other): void {
    if (this.#visitor.isTold) return;
    if (message.type === 'RESUME' && this.connection === undefined) this.#resume(message);
    else this.#act(message, this.#entered(message.type));
  }

  #act(message: Other, connection: TcpConnection): void {
    switch (message.type) {
      case 'FIN':
        this.flush();
        connection.finish();
        return;
      case 'RESET':
        this.#onReset(message);
        return;
      case 'WINDOW':
        connection.grant(message.credit);
        return;
      case 'ACK':
        connection.acknowledge(message.offset);
        return;
      case 'AUTH':
        void this.#authenticate(message.accessToken, connection);
        return;
      default:
        throw protocolFault(`${message.type} of a client, or not as its first message`);
    }
  }

  #entered(type: string): TcpConnection {
    if (this.connection === undefined) throw protocolFault(`${type} before RESUME`);
    return this.connection;
  }

  #resume(returning: Returning): void {
    const { entrance, session } = this.#parts;
    this.stop();
    // Known before anything is said: the reason for an end depends on it.
    this.connection = entrance.find(returning, session);
    this.connection.resume(this.#visitor, returning, session.expiresAt ?? 0);
  }

  #onReset({ code, text }: Reason): void {
    if (!mayBeSent(code)) throw protocolFault(`RESET with the close code ${code}`);
    this.isReset = true;
    this.#visitor.closing.begin({ code, reason: text, by: 'client', clean: false });
  }

  async #authenticate(token: string, { leadsHere }: TcpConnection): Promise<void> {
    const { authentication, session } = this.#parts;
    try {
      await authentication.renew(token, session, leadsHere);
      this.#visitor.send({ type: 'AUTH_OK', expiresAt: session.expiresAt ?? 0 });
      this.#visitor.whenOut(() => authentication.answered());
    } catch (error) {
      this.#visitor.closing.begin(failed(asGatewayError(error)));
    }
  }
}
