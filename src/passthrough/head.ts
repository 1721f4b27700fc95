import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Grant } from '../admission/grant.ts';
import type { UpstreamConfig } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import type { GatewayRequest, HeaderField } from '../http/request.ts';
import { type AnswerFields, compileAnswerFields } from '../upstream/answer-fields.ts';
import type { Concealment } from '../upstream/concealment.ts';
import type { Proof } from '../upstream/credentials.ts';
import type { Forward } from '../upstream/forward.ts';
import { compileHost } from '../upstream/host.ts';
import type { Target } from '../upstream/target.ts';

/** The heads of a plain request and its answer, as the next hop is to see them. */

/** How the body of a request is delimited. */
export interface Body {
  readonly present: boolean;
  /** The fields that say so upstream, if any are needed (RFC 9112 §6, §7.1.2). */
  readonly framing: readonly HeaderField[];
}

/** A server may not look for a body with these (RFC 9110 §9.3). */
const BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE']);

/** Whether requests with `method` have no body as a rule. */
export function isBodiless(method: string): boolean {
  return BODILESS.has(method);
}

/**
 * Reads the framing of a request that Node has parsed. Throws BAD_REQUEST for transfer codings other than chunked,
 * which Node would hand on without undoing them.
 */
export function bodyOf({ headers }: IncomingMessage): Body {
  const coding = headers['transfer-encoding']?.toLowerCase();
  if (coding === 'chunked') return { present: true, framing: chunked(headers) };
  if (coding !== undefined) throw new GatewayError('BAD_REQUEST', { detail: 'an unknown transfer coding' });
  const length = headers['content-length'];
  if (length !== undefined) return { present: Number(length) > 0, framing: [['content-length', length]] };
  return NO_BODY;
}

/** Throws an Error that says why an answer that Node has parsed cannot be passed on. */
export function checkAnswer({ statusCode, headers }: IncomingMessage): void {
  // Without an Upgrade and a Connection that names it, Node takes it for the last word.
  if (statusCode === 101) throw new Error('it switched protocols unasked');
  const coding = headers['transfer-encoding']?.toLowerCase() ?? 'chunked';
  // Node leaves any other on.
  if (coding !== 'chunked') throw new Error('an unknown transfer coding');
}

const NO_BODY: Body = { present: false, framing: [] };

function chunked({ trailer }: IncomingHttpHeaders): HeaderField[] {
  const framing: HeaderField[] = [['transfer-encoding', 'chunked']];
  if (trailer !== undefined) framing.push(['trailer', trailer]);
  return framing;
}

/** The heads of one request and its answer. */
export interface Heads {
  /** As `http.request` takes them. */
  readonly headers: IncomingHttpHeaders;
  readonly answerFields: AnswerFields;
}

/** What the heads depend on, besides the route. */
export interface Sent {
  /** Without its token. */
  readonly request: GatewayRequest;
  readonly grant: Grant;
  /** What the gateway proves itself with. */
  readonly proof?: Proof | undefined;
  readonly target: Target;
  readonly framing: Body['framing'];
  /** The client takes trailers. */
  readonly trailers: boolean;
}

export type HeadOf = (sent: Sent) => Heads;

/** Compiles the heads of a route's requests and answers; the latter tell nothing of what `concealment` hides. */
export function compileHead(
  upstream: UpstreamConfig,
  { fields: fieldsOf }: Forward,
  concealment?: Concealment,
): HeadOf {
  const hostOf = compileHost(upstream.host);
  const answerFieldsFor = compileAnswerFields(upstream, concealment);
  return function headOf({ request, grant, proof, target, framing, trailers }) {
    const host = hostOf(request, target);
    const fields: HeaderField[] = [['Host', host]];
    for (const field of fieldsOf(request, grant)) fields.push(field);
    if (proof) fields.push(...proof.fields);
    if (trailers) fields.push(TRAILERS);
    // Comes last: behind a length Node makes bytes of a Content-Disposition, and writes them as UTF-8.
    for (const field of framing) fields.push(field);
    // Where the client gets no body, nothing comes behind it.
    const hasBody = request.method !== 'HEAD' && grant.isUnproven !== true;
    const answer = trailers && hasBody ? 'trailers' : 'plain';
    return { headers: asHeaders(fields), answerFields: answerFieldsFor({ request, target, host, answer }) };
  };
}

/** Asks for trailers (RFC 9110 §10.1.4). */
const TRAILERS: HeaderField = ['TE', 'trailers'];

/**
 * Header fields as `http.request` takes them: in the spelling of the first of a name, repeated ones as lists, in their
 * order.
 */
export function asHeaders(fields: readonly HeaderField[]): IncomingHttpHeaders {
  // http-proxy copies it, which takes a multiple of the time where it has no prototype.
  const headers: Record<string, string | string[]> = {};
  const spellings = new Map<string, string>();
  for (const [name, value] of fields) {
    // The one name that such an object cannot have.
    if (name === '__proto__') continue;
    const key = name.toLowerCase();
    const spelling = spellings.get(key);
    if (spelling === undefined) {
      spellings.set(key, name);
      headers[name] = value;
      continue;
    }
    const earlier = headers[spelling] as string | string[];
    if (typeof earlier === 'string') headers[spelling] = [earlier, value];
    else earlier.push(value);
  }
  return headers;
}

/** The fields with another Content-Length: none of the body comes. */
export function withNoBody(fields: readonly string[]): string[] {
  const kept = ['Content-Length', '0'];
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at] as string;
    if (name.toLowerCase() !== 'content-length') kept.push(name, fields[at + 1] as string);
  }
  return kept;
}

/** The Connection of an answer that has an Upgrade field (RFC 9110 §7.8). Node leaves the rest of it to who writes it. */
export function namingUpgrade(isKept: boolean): string {
  return isKept ? 'keep-alive, Upgrade' : 'close, Upgrade';
}
