import type { GenericConfig } from '../../config/poll/index.ts';
import { GatewayError } from '../../errors.ts';
import { withQuery } from '../../http/query.ts';
import type { HttpAnswer, HttpRequest } from '../../upstream/client.ts';
import type { AdmittedRequest } from '../../upstream/forward.ts';
import { compileFraming, type Reading } from './framing.ts';
import {
  type Batch,
  type Message,
  NOTHING,
  type Opening,
  type Polls,
  type Profile,
  type ProfileFactory,
  type Sends,
} from './profile.ts';
import { compileSource, required, withCursor } from './source.ts';
import { compileTemplate, type Values } from './template.ts';

const EMPTY: Reading = { messages: [], document: () => undefined };

/**
 * The profile that configuration alone describes: plain HTTP requests whose paths are templates, and a cursor if
 * there is one. The client's query goes with `open`; elsewhere only where a path says `{query}`.
 */
export function compileGeneric(config: GenericConfig): ProfileFactory {
  const dialect = compileDialect(config);
  return {
    opens: config.open !== undefined,
    create: (request) => new GenericProfile(dialect, request),
  };
}

/** How requests are written and answers read. */
type Dialect = ReturnType<typeof compileDialect>;

function compileDialect(config: GenericConfig) {
  const { open, poll, send, close, cursor } = config;
  return {
    config,
    /** The placeholder of that name: in seconds. */
    hold: String(Math.round((poll?.hold ?? 0) / 1000)),
    openPath: compileTemplate(open?.path ?? ''),
    pollPath: compileTemplate(poll?.path ?? ''),
    sendPath: compileTemplate(send?.path ?? ''),
    closePath: compileTemplate(close?.path ?? ''),
    readWhole: compileFraming({ framing: 'body' }),
    readMessages: compileFraming(config.messages),
    sessionOf: open?.session && compileSource(open.session),
    firstCursorOf: open?.cursor && compileSource(open.cursor),
    nextCursorOf: cursor && compileSource(cursor.from),
  };
}

class GenericProfile implements Profile {
  readonly answerSize: number;
  readonly receives: Polls | undefined;
  readonly sends: Sends | undefined;
  readonly #dialect: Dialect;
  readonly #request: AdmittedRequest;
  #session: string | undefined;
  #cursor: string | undefined;

  constructor(dialect: Dialect, request: AdmittedRequest) {
    const { poll, send, cursor, responseSize } = dialect.config;
    this.answerSize = responseSize;
    this.receives = poll && this.#polls(poll);
    this.sends = send && this.#sends(send);
    this.#dialect = dialect;
    this.#request = request;
    this.#cursor = cursor?.initial;
  }

  open(): HttpRequest | undefined {
    const { config, openPath } = this.#dialect;
    if (!config.open) return undefined;
    const { query, protocols } = this.#request;
    const path = openPath(this.#values(), this.#request.captures);
    return {
      method: config.open.method,
      path: config.open.path.includes('{query}') ? path : withQuery(path, query ?? ''),
      // Browsers give up on a 101 that takes none of the subprotocols they offered: the service may choose.
      headers: protocols.length > 0 ? { 'sec-websocket-protocol': protocols.join(', ') } : {},
    };
  }

  opened(answer: HttpAnswer): Opening {
    const { readWhole, sessionOf, firstCursorOf } = this.#dialect;
    const { document } = readWhole(answer);
    if (sessionOf) this.#session = required(sessionOf(answer, document), 'session');
    if (firstCursorOf) this.#cursor = required(firstCursorOf(answer, document), 'cursor');
    return { protocol: chosenProtocol(answer, this.#request.protocols) };
  }

  close(): HttpRequest | undefined {
    const { config, closePath } = this.#dialect;
    return (
      config.close && {
        method: config.close.method,
        path: closePath(this.#values(), this.#request.captures),
        headers: {},
      }
    );
  }

  #polls({ method, hold, margin }: NonNullable<GenericConfig['poll']>): Polls {
    return {
      mode: 'answers',
      holdMs: hold,
      marginMs: margin,
      answerSize: this.answerSize,
      repeats: true,
      poll: () => this.#poll(method),
      polled: (answer) => this.#polled(answer),
    };
  }

  #poll(method: string): HttpRequest {
    const { config, pollPath } = this.#dialect;
    const base = { method, path: pollPath(this.#values(), this.#request.captures), headers: {} };
    return this.#cursor === undefined ? base : withCursor(base, this.#cursor, config.cursor?.send);
  }

  #polled(answer: HttpAnswer): Batch {
    const { readMessages, nextCursorOf } = this.#dialect;
    const { messages, document } = answer.status < 300 ? readMessages(answer) : EMPTY;
    if (nextCursorOf === undefined) return { messages, cursor: 'none', commit() {} };
    const next = nextCursorOf(answer, document);
    // The same cursor again would bring the same messages again, for ever.
    if (messages.length > 0) required(next, 'cursor');
    return {
      messages,
      cursor: next !== undefined && next !== this.#cursor ? 'moved' : 'unmoved',
      commit: () => {
        this.#cursor = next ?? this.#cursor;
      },
    };
  }

  #sends(send: NonNullable<GenericConfig['send']>): Sends {
    const replies = send.response === 'message';
    return {
      timeoutMs: send.timeout,
      answerSize: replies ? this.answerSize : 'ignored',
      resends: send.retry === 'idempotent',
      concurrency: 1,
      inOrder: true,
      send: ([message]) => this.#send(send, message),
      ...(replies && { sent: (answer: HttpAnswer) => this.#sent(answer) }),
    };
  }

  #send({ method, text, binary }: NonNullable<GenericConfig['send']>, message?: Message): HttpRequest {
    return {
      method,
      path: this.#dialect.sendPath(this.#values(), this.#request.captures),
      headers: { 'content-type': message?.binary ? binary : text },
      ...(message && { body: message.data }),
    };
  }

  #sent(answer: HttpAnswer): Batch {
    const { messages } = this.#dialect.readWhole(answer);
    return { ...NOTHING, messages };
  }

  /** What the placeholders of a path stand for now. */
  #values(): Values {
    const { query } = this.#request;
    return { session: this.#session, cursor: this.#cursor, hold: this.#dialect.hold, query };
  }
}

/** The subprotocol for the 101, which must be one the client offered (RFC 6455 §4.2.2). Throws UPSTREAM_INVALID. */
function chosenProtocol({ headers }: HttpAnswer, offered: readonly string[]): string | undefined {
  const chosen = headers['sec-websocket-protocol'];
  if (chosen === undefined || offered.includes(chosen)) return chosen;
  throw new GatewayError('UPSTREAM_INVALID', { detail: 'a subprotocol was chosen that was not offered' });
}
