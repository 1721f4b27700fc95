import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { GatewayError } from '../errors.ts';
import { cgiSpelling, headerClass, nominatedFields } from '../http/header-classes.ts';
import type { HeaderField } from '../http/request.ts';

/** The heads of a plain request and its answer, as the next hop is to see them. */

/** How the body of a request is delimited. */
export interface Body {
  readonly present: boolean;
  /** The field that says so upstream, if one is needed (RFC 9112 §6). */
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
  if (coding === 'chunked') return { present: true, framing: [['transfer-encoding', 'chunked']] };
  if (coding !== undefined) throw new GatewayError('BAD_REQUEST', { detail: 'an unknown transfer coding' });
  const length = headers['content-length'];
  if (length !== undefined) return { present: Number(length) > 0, framing: [['content-length', length]] };
  return { present: false, framing: [] };
}

/** Header fields as `http.request` takes them: repeated ones as lists, in their order. */
export function asHeaders(fields: readonly HeaderField[]): IncomingHttpHeaders {
  const headers: Record<string, string | string[]> = Object.create(null);
  for (const [name, value] of fields) {
    const key = name.toLowerCase();
    const earlier = headers[key];
    headers[key] = earlier === undefined ? value : [earlier, value].flat();
  }
  return headers;
}

/**
 * The answer's end-to-end fields, for `writeHead`: hop-by-hop ones and those that Connection nominates are dropped
 * (RFC 9110 §7.6.1). `raw` and the result alternate names and values.
 */
export function endToEndAnswer(raw: readonly string[]): string[] {
  const fields = pairs(raw);
  const nominated = nominatedFields(fields);
  return fields
    .filter(([name]) => {
      const key = name.toLowerCase();
      return headerClass(key) !== 'hop-by-hop' && !nominated.has(cgiSpelling(key));
    })
    .flat();
}

function pairs(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, index) => [
    raw[2 * index] as string,
    raw[2 * index + 1] as string,
  ]);
}
