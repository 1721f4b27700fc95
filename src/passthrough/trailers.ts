import type { ClientRequest, IncomingMessage } from 'node:http';
import type { HeaderChanges } from '../config/rewrite.ts';
import type { RouteConfig } from '../config/schema.ts';
import { cgiSpelling, headerClass } from '../http/header-classes.ts';
import type { Concealment } from '../upstream/concealment.ts';

/** The trailer fields that may go on of those behind a body, as `addTrailers` takes them; empty before its end. */
export type TrailersOf = (message: IncomingMessage) => [string, string][];

/** Servers that add trailers to the other fields would take their word (RFC 9110 §6.5.1, RFC 7230 §4.1.2). */
const OF_THE_HEAD: readonly string[] = [
  'authorization',
  'cookie',
  'origin',
  'range',
  'max-forwards',
  'cache-control',
  'pragma',
  'content-type',
  'content-encoding',
  'content-range',
  'set-cookie',
  'www-authenticate',
  'location',
  'retry-after',
  'vary',
  'age',
  'date',
  'expires',
];

/**
 * Compiles which trailers of a route's requests and answers go on: none that the route says or leaves out in the head, and
 * of answers none that tells what `concealment` hides.
 */
export function compileTrailers(
  { auth, upstream: { headers, answerHeaders, credentials = [] } }: RouteConfig,
  concealment?: Concealment,
) {
  const claims = auth === 'none' ? [] : Object.keys(auth.forward);
  const own = credentials.flatMap(({ header }) => header ?? []);
  const answer = trailersBut(namesOf(answerHeaders));
  const isTold = (field: [string, string]) => !concealment?.isIn(field.join('\n'));
  return {
    request: trailersBut([...claims, ...own, ...namesOf(headers)]),
    answer: concealment === undefined ? answer : (message: IncomingMessage) => answer(message).filter(isTold),
  };
}

function namesOf({ set = {}, remove = [] }: Partial<HeaderChanges> = {}): string[] {
  return [...Object.keys(set), ...remove];
}

/** Framing, routing and the like have no place behind a body, nor do fields with the names `said`. */
function trailersBut(said: readonly string[]): TrailersOf {
  const dropped = new Set([...OF_THE_HEAD, ...said].map(cgiSpelling));
  return function trailersOf({ rawTrailers }) {
    const trailers: [string, string][] = [];
    for (let at = 0; at < rawTrailers.length; at += 2) {
      const name = rawTrailers[at] as string;
      const key = cgiSpelling(name.toLowerCase());
      if (headerClass(key) === undefined && !dropped.has(key))
        trailers.push([name, rawTrailers[at + 1] as string]);
    }
    return trailers;
  };
}

/** Whether a client takes trailers, by its TE (RFC 9110 §10.1.4). */
export function takesTrailers({ headers: { te } }: IncomingMessage): boolean {
  return te !== undefined && /(?:^|,)[ \t]*trailers[ \t]*(?:,|;|$)/i.test(String(te));
}

/** Says in Connection that the TE of a request is this connection's own, as it must (RFC 9110 §10.1.4). */
export function nominateTe(upstream: ClientRequest): void {
  // Node writes this field by itself only where nobody else does.
  upstream.setHeader('Connection', upstream.shouldKeepAlive ? 'keep-alive, TE' : 'close, TE');
}
