import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GatewayError } from '../errors.ts';
import type { ConnectionInfo, RequestHead } from '../http/parse.ts';
import type { Connections } from './connections.ts';
import type { Http1Parts } from './pending-upgrade.ts';
import { answerRefusal } from './refusal.ts';

/** A plain request that is being decided. Who is given one answers it on `response`, or calls `refuse`. */
export interface PendingRequest {
  readonly head: RequestHead;
  readonly connection: ConnectionInfo;
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  /**
   * Answers with the status of an error, its fields and `more` (names in lower case), and ends the connection; a
   * response that has begun is cut off.
   */
  refuse(error: GatewayError, more?: Readonly<Record<string, string>>): void;
  /**
   * Waits for what the client alone is to do: meanwhile nothing is under way, and its connection gives way to newcomers as one
   * does that is silent. Rejects with GATEWAY_FULL if there is no room for it any more, with CLIENT_LOST, and as `wait` does.
   */
  whileIdle<Result>(wait: () => Promise<Result>): Promise<Result>;
}

/** A plain request over HTTP/1.1. */
export class Http1Request implements PendingRequest {
  readonly connection: ConnectionInfo;
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  readonly #connections: Connections;
  readonly #lingerMs: number;

  constructor({ message, connection, connections, lingerMs }: Http1Parts, response: ServerResponse) {
    this.connection = connection;
    this.message = message;
    this.response = response;
    this.#connections = connections;
    this.#lingerMs = lingerMs;
    response.on('error', () => response.destroy());
  }

  get head(): RequestHead {
    return this.message;
  }

  refuse(error: GatewayError, more?: Readonly<Record<string, string>>): void {
    answerRefusal(this.response, error, this.#lingerMs, more);
    this.#connections.rest(this.message.socket);
  }

  async whileIdle<Result>(wait: () => Promise<Result>): Promise<Result> {
    const { socket } = this.message;
    this.#connections.rest(socket);
    const result = await wait();
    this.#connections.resume(socket);
    return result;
  }
}
