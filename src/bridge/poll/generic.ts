import type { PollConfig } from '../../config/poll.ts';
import { GatewayError } from '../../errors.ts';
import { withQuery } from '../../http/query.ts';
import type { HttpAnswer, HttpRequest } from '../../upstream/client.ts';
import type { AdmittedRequest } from '../../upstream/forward.ts';
import { compileFraming, type Reading } from './framing.ts';
import type { Batch, Message, Profile, ProfileFactory } from './profile.ts';
import { compileSource, required, withCursor } from './source.ts';
import { compileTemplate, type Values } from './template.ts';

const NOTHING: Reading = { messages: [], document: () => undefined };

/**
 * The profile that configuration alone describes: plain HTTP requests whose paths are templates, and a cursor if
 * there is one. The client's query goes with `open`; elsewhere only where a path says `{query}`.
 */
export function compileGeneric(config: PollConfig): ProfileFactory {
  const dialect = compileDialect(config);
  return function generic(request: AdmittedRequest): Profile {
    return new GenericProfile(dialect, request);
  };
}

/** How requests are written and answers read. */
type Dialect = ReturnType<typeof compileDialect>;

function compileDialect(config: PollConfig) {
  const { open, poll, send, close, cursor } = config;
  return {
    config,
    /** The placeholder of that name: in seconds. */
    hold: String(Math.round(poll.hold / 1000)),
    openPath: compileTemplate(open?.path ?? ''),
    pollPath: compileTemplate(poll.path),
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
  readonly pollMs: number;
  readonly sendMs: number;
  readonly answerSize: number;
  readonly resends: boolean;
  readonly #dialect: Dialect;
  readonly #request: AdmittedRequest;
  #session: string | undefined;
  #cursor: string | undefined;

  constructor(dialect: Dialect, request: AdmittedRequest) {
    const { poll, send, cursor, responseSize } = dialect.config;
    this.pollMs = poll.hold + poll.margin;
    this.sendMs = send?.timeout ?? 0;
    this.answerSize = responseSize;
    this.resends = send?.retry === 'idempotent';
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

  opened(answer: HttpAnswer): string | undefined {
    const { readWhole, sessionOf, firstCursorOf } = this.#dialect;
    const { document } = readWhole(answer);
    if (sessionOf) this.#session = required(sessionOf(answer, document), 'session');
    if (firstCursorOf) this.#cursor = required(firstCursorOf(answer, document), 'cursor');
    return chosenProtocol(answer, this.#request.protocols);
  }

  poll(): HttpRequest {
    const { config, pollPath } = this.#dialect;
    const base = {
      method: config.poll.method,
      path: pollPath(this.#values(), this.#request.captures),
      headers: {},
    };
    return this.#cursor === undefined ? base : withCursor(base, this.#cursor, config.cursor?.send);
  }

  polled(answer: HttpAnswer): Batch {
    const { readMessages, nextCursorOf } = this.#dialect;
    const { messages, document } = answer.status < 300 ? readMessages(answer) : NOTHING;
    const next = nextCursorOf?.(answer, document);
    // The same cursor again would bring the same messages again, for ever.
    if (nextCursorOf && messages.length > 0) required(next, 'cursor');
    return {
      messages,
      moved: messages.length > 0 || (next !== undefined && next !== this.#cursor),
      commit: () => {
        this.#cursor = next ?? this.#cursor;
      },
    };
  }

  send({ data, binary }: Message): HttpRequest | undefined {
    const { config, sendPath } = this.#dialect;
    if (!config.send) return undefined;
    const headers = { 'content-type': binary ? config.send.binary : config.send.text };
    return {
      method: config.send.method,
      path: sendPath(this.#values(), this.#request.captures),
      headers,
      body: data,
    };
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
