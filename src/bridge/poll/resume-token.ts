import type { LingerConfig } from '../../config/poll/index.ts';
import { GatewayError } from '../../errors.ts';
import { removeParameter } from '../../http/query.ts';
import type { AdmittedRequest } from '../../upstream/forward.ts';

/** What a client comes back with. */
export interface ResumeToken {
  readonly secret: string;
  /** Messages it has received since its first connect; undefined if it does not say. */
  readonly received: number | undefined;
}

/** A handshake, and the resume token that was in it. */
export interface ResumableRequest {
  /** Without the token: it is nobody else's to read. */
  readonly request: AdmittedRequest;
  readonly token: ResumeToken | undefined;
}

/** 22 characters of these hold the 128 bits that nobody guesses. */
const FORM = /^([\w-]{22,128})(?:\.(\d{1,15}))?$/;

/** Compiles what takes a resume token out of a handshake. It throws BAD_REQUEST for one that is none, and for two. */
export function compileResumeToken({
  from,
  name,
}: LingerConfig['token']): (request: AdmittedRequest) => ResumableRequest {
  const take = from === 'query' ? fromQuery(name) : fromProtocols(name);
  return function readToken(admitted) {
    const { request, found } = take(admitted);
    if (found.length > 1) throw malformed(`is there ${found.length} times`);
    const [text] = found;
    return { request, token: text === undefined ? undefined : tokenIn(text) };
  };
}

interface Taken {
  readonly request: AdmittedRequest;
  readonly found: readonly string[];
}

function fromQuery(name: string): (request: AdmittedRequest) => Taken {
  return function take(request) {
    const found = new URLSearchParams(request.query).getAll(name);
    if (found.length === 0) return { request, found };
    return { request: { ...request, query: removeParameter(request.query, name) }, found };
  };
}

function fromProtocols(prefix: string): (request: AdmittedRequest) => Taken {
  return function take(request) {
    const found = request.protocols.filter((item) => item.startsWith(prefix));
    if (found.length === 0) return { request, found };
    const protocols = request.protocols.filter((item) => !item.startsWith(prefix));
    const headers = request.headers.filter(([field]) => field.toLowerCase() !== 'sec-websocket-protocol');
    return {
      request: { ...request, protocols, headers },
      found: found.map((item) => item.slice(prefix.length)),
    };
  };
}

function tokenIn(text: string): ResumeToken {
  const [, secret, received] = FORM.exec(text) ?? [];
  if (secret === undefined) throw malformed('has another form');
  return { secret, received: received === undefined ? undefined : Number(received) };
}

function malformed(detail: string): GatewayError {
  return new GatewayError('BAD_REQUEST', {
    detail: `the resume token ${detail}`,
    sentence: 'A resume token is one of 22 to 128 letters, digits, - and _, which .N may follow.',
  });
}
