import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { GatewayError } from '../errors.ts';
import type { HeaderField } from '../http/request.ts';

/** The head of a plain request, as the next hop is to see it. */

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

const NO_BODY: Body = { present: false, framing: [] };

function chunked({ trailer }: IncomingHttpHeaders): HeaderField[] {
  const framing: HeaderField[] = [['transfer-encoding', 'chunked']];
  if (trailer !== undefined) framing.push(['trailer', trailer]);
  return framing;
}

/** Whether the client takes fields behind the body of the answer (RFC 9110 §10.1.4); to HEAD there is none. */
export function takesTrailers({ method, headers: { te } }: IncomingMessage): boolean {
  return method !== 'HEAD' && te !== undefined && /(?:^|,)[ \t]*trailers[ \t]*(?:,|$)/i.test(String(te));
}

/**
 * Header fields as `http.request` takes them: in the spelling of the first of a name, repeated ones as lists, in their
 * order. A length comes behind all others, or Node reads a Content-Disposition as UTF-8.
 */
export function asHeaders(fields: readonly HeaderField[]): IncomingHttpHeaders {
  const headers: Record<string, string | string[]> = Object.create(null);
  const spellings = new Map<string, string>();
  for (const [name, value] of fields) {
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
