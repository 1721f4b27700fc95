import type { GenericConfig } from '../../../config/poll/index.ts';
import { withQuery } from '../../../http/query.ts';
import type { HttpAnswer, HttpRequest } from '../../../upstream/client.ts';
import type { AdmittedRequest } from '../../../upstream/forward.ts';
import type { Opening, Polls, Profile, ProfileFactory, Sends } from '../profile.ts';
import { chosenProtocol } from '../subprotocol.ts';
import { compileFraming } from './framing.ts';
import { compileReceiving } from './receiving.ts';
import { compileSending } from './sending.ts';
import { compileSource, required } from './source.ts';
import { SessionState } from './state.ts';
import { compileTemplate } from './template.ts';

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
  const { open, close } = config;
  return {
    config,
    openPath: compileTemplate(open?.path ?? ''),
    closePath: compileTemplate(close?.path ?? ''),
    readWhole: compileFraming({ framing: 'body' }),
    sessionOf: open?.session && compileSource(open.session),
    firstCursorOf: open?.cursor && compileSource(open.cursor),
    receiving: compileReceiving(config),
    sending: compileSending(config),
  };
}

class GenericProfile implements Profile {
  readonly answerSize: number;
  readonly receives: Polls | undefined;
  readonly sends: Sends | undefined;
  readonly #dialect: Dialect;
  readonly #state: SessionState;

  constructor(dialect: Dialect, request: AdmittedRequest) {
    const { config, receiving, sending } = dialect;
    this.#dialect = dialect;
    this.#state = new SessionState(request, config);
    this.answerSize = config.responseSize;
    this.receives = receiving?.(this.#state);
    this.sends = sending?.(this.#state);
  }

  open(): HttpRequest | undefined {
    const { config, openPath } = this.#dialect;
    if (!config.open) return undefined;
    const { query, protocols } = this.#state.request;
    const path = this.#state.fill(openPath);
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
    if (sessionOf) this.#state.session = required(sessionOf(answer, document), 'session');
    if (firstCursorOf) this.#state.cursor = required(firstCursorOf(answer, document), 'cursor');
    return { protocol: chosenProtocol(answer, this.#state.request.protocols) };
  }

  close(): HttpRequest | undefined {
    const { config, closePath } = this.#dialect;
    return config.close && { method: config.close.method, path: this.#state.fill(closePath), headers: {} };
  }
}
