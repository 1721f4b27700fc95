import type { GenericConfig } from '../../../config/poll/index.ts';
import { withQuery } from '../../../http/query.ts';
import type { HttpAnswer, HttpRequest } from '../../../upstream/client.ts';
import type { AdmittedRequest } from '../../../upstream/forward.ts';
import type { Opening, Polls, Profile, ProfileFactory, Sends, Streams } from '../profile.ts';
import { chosenProtocol } from '../subprotocol.ts';
import { compilePath } from '../template.ts';
import type { Scope } from '../values.ts';
import { compileFraming } from './framing.ts';
import { compileReceiving } from './receiving.ts';
import { compileRequest } from './request.ts';
import { compileSending } from './sending.ts';
import { compileSource, required } from './source.ts';
import { SessionState } from './state.ts';

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

/** Nobody has said why (RFC 6455 §7.1.5). */
const UNSAID = { code: 1006, reason: '' };

/** For what is not known yet. */
const STAND_IN = 'x';

/** The path says itself what it takes of the client’s query. */
const NAMES_QUERY = /\{query[.}]/;

/** How requests are written and answers read. */
type Dialect = ReturnType<typeof compileDialect>;

function compileDialect(config: GenericConfig) {
  const { open, poll, send, close } = config;
  return {
    config,
    openRequest: open && compileRequest(open),
    closeRequest: close && compileRequest(close),
    laterPaths: [poll, send, close].flatMap((request) => (request ? compilePath(request.path) : [])),
    readWhole: compileFraming({ framing: 'body' }),
    sessionOf: open?.session && compileSource(open.session),
    firstCursorOf: open?.cursor && compileSource(open.cursor),
    receiving: compileReceiving(config),
    sending: compileSending(config),
  };
}

class GenericProfile implements Profile {
  readonly answerSize: number;
  readonly codes: Profile['codes'];
  readonly confirms: boolean;
  readonly receives: Polls | Streams | undefined;
  readonly sends: Sends | undefined;
  readonly #dialect: Dialect;
  readonly #state: SessionState;

  constructor(dialect: Dialect, request: AdmittedRequest) {
    const { config, receiving, sending } = dialect;
    this.#dialect = dialect;
    this.#state = new SessionState(request, config);
    this.answerSize = config.responseSize;
    this.codes = config.codes;
    this.confirms = config.ack === 'pong';
    this.receives = receiving?.(this.#state);
    this.sends = sending?.(this.#state);
  }

  open(): HttpRequest | undefined {
    const { config, openRequest } = this.#dialect;
    this.#tryPaths();
    if (openRequest === undefined) return undefined;
    const { query, protocols } = this.#state.request;
    const request = openRequest(this.#state);
    // Browsers give up on a 101 that takes none of the subprotocols they offered: the service may choose.
    const offer: HttpRequest['headers'] =
      protocols.length > 0 ? { 'sec-websocket-protocol': protocols.join(', ') } : {};
    return {
      ...request,
      path: NAMES_QUERY.test(config.open?.path ?? '') ? request.path : withQuery(request.path, query ?? ''),
      headers: { ...request.headers, ...offer },
    };
  }

  opened(answer: HttpAnswer): Opening {
    const { config, readWhole, sessionOf, firstCursorOf } = this.#dialect;
    const { document } = readWhole(answer);
    const { open } = config;
    if (sessionOf) this.#state.session = required(sessionOf(answer, document), 'session', open?.session);
    if (firstCursorOf)
      this.#state.moveFirst(required(firstCursorOf(answer, document), 'cursor', open?.cursor));
    this.#tryPaths();
    return { protocol: chosenProtocol(answer, this.#state.request.protocols) };
  }

  close(ending: Scope['ending'] = UNSAID): HttpRequest | undefined {
    return this.#dialect.closeRequest?.(this.#state.with({ ending }));
  }

  /** Who lacks what a later path is made of, or has it made into another, learns it now and not in mid-session. */
  #tryPaths(): void {
    const { request, session = STAND_IN, cursor = STAND_IN } = this.#state;
    const scope = { request, session, cursor, holdMs: 1000, seq: 1, ending: UNSAID };
    for (const path of this.#dialect.laterPaths) path(scope);
  }
}
