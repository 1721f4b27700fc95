import { randomUUID } from 'node:crypto';
import type { AwsConfig } from '../../../config/poll/index.ts';
import { ABNORMAL } from '../../../frames/close.ts';
import type { HttpAnswer, HttpRequest } from '../../../upstream/client.ts';
import type { AdmittedRequest } from '../../../upstream/forward.ts';
import type { Ending } from '../../contract.ts';
import {
  type Batch,
  type Message,
  NOTHING,
  type Opening,
  type Profile,
  type ProfileFactory,
  type Sends,
} from '../profile.ts';
import { chosenProtocol } from '../subprotocol.ts';
import { isSuccess } from '../verdict.ts';
import { readAnswer } from './answers.ts';
import {
  type Content,
  compileEvents,
  type EventMaker,
  type Happening,
  handshakeContent,
  messageContent,
} from './events.ts';
import { compileRoutes } from './routes.ts';

/**
 * The events of API Gateway's WebSocket APIs for a function as AWS Lambda runs it: `$connect` decides, each message is
 * answered, `$disconnect` is told.
 */
export function compileAws(config: AwsConfig): ProfileFactory {
  const events = compileEvents(config);
  const routeOf = compileRoutes(config.routes);
  return {
    opens: true,
    create: (request) => new Aws(config, request, { eventOf: events(request), routeOf }),
  };
}

interface AwsParts {
  readonly eventOf: EventMaker;
  readonly routeOf: (message: Message) => string;
}

/** Nobody has said why (RFC 6455 §7.1.5). */
const LOST = { code: ABNORMAL, reason: '' };

class Aws implements Profile {
  readonly answerSize: number;
  readonly codes: Profile['codes'];
  readonly sends: Sends;
  readonly #config: AwsConfig;
  readonly #request: AdmittedRequest;
  readonly #parts: AwsParts;

  constructor(config: AwsConfig, request: AdmittedRequest, parts: AwsParts) {
    const { responseSize, codes, timeout, retry, concurrency, order } = config;
    this.answerSize = responseSize;
    this.codes = codes;
    this.#config = config;
    this.#request = request;
    this.#parts = parts;
    this.sends = {
      timeoutMs: timeout,
      answerSize: responseSize,
      resends: retry === 'idempotent',
      concurrency,
      inOrder: order !== 'free',
      send: ([message]) => this.#send(message as Message),
      sent: (answer) => this.#sent(answer),
      refused: ({ status }) => this.#refused(status),
    };
  }

  open(): HttpRequest {
    return this.#post({ eventType: 'CONNECT', routeKey: '$connect' }, handshakeContent(this.#request));
  }

  opened(answer: HttpAnswer): Opening {
    const read = readAnswer(answer);
    if (read.kind === 'thrown') return { refusal: THROWN };
    if (!isSuccess(read.answer.status)) return { refusal: read.answer };
    return { protocol: chosenProtocol(read.answer, this.#request.protocols) };
  }

  close({ code, reason }: Pick<Ending, 'code' | 'reason'> = LOST): HttpRequest {
    const why = { disconnectStatusCode: code, disconnectReason: reason };
    return this.#post({ eventType: 'DISCONNECT', routeKey: '$disconnect', ...why }, {});
  }

  #send(message: Message): HttpRequest {
    const routeKey = this.#parts.routeOf(message);
    const happening: Happening = { eventType: 'MESSAGE', routeKey, messageId: randomUUID() };
    return this.#post(happening, messageContent(message));
  }

  #sent(answer: HttpAnswer): Batch {
    const read = readAnswer(answer);
    return read.kind === 'thrown' ? this.#failure() : { ...NOTHING, messages: read.messages };
  }

  #refused(status: number): Batch | undefined {
    return status === UNAUTHORIZED ? undefined : this.#failure();
  }

  /** The function has thrown, or was not run: the client is told, and the connection goes on, as with API Gateway. */
  #failure(): Batch {
    const { connectionId } = this.#request;
    const data = JSON.stringify({ message: 'Internal server error', connectionId });
    return { ...NOTHING, messages: [{ data, binary: false }] };
  }

  #post(happening: Happening, content: Content): HttpRequest {
    const headers = { 'content-type': 'application/json' };
    const body = this.#parts.eventOf(happening, content);
    return { method: 'POST', path: this.#config.path ?? '', headers, body };
  }
}

/** Who must prove himself anew can only do so with a new connection. */
const UNAUTHORIZED = 401;

/** As API Gateway has it. */
const THROWN: HttpAnswer = {
  status: 502,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from('{"message":"Internal server error"}'),
};
