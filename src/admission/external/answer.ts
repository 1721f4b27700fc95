import { GatewayError } from '../../errors.ts';
import { cgiSpelling, headerClass, nominatedRawFields } from '../../http/header-classes.ts';
import { RelayedAnswer } from '../../http/relayed-answer.ts';
import type { HeaderField } from '../../http/request.ts';
import type { Claims } from '../claims.ts';
import { challenge } from '../token/challenge.ts';
import { type Answer, type ExternalConfig, isRefusal } from './service.ts';

/** From what another service answers to what is known of the client by it. Pure. */

/** What a service that lets a client in says of it. */
export interface Proof {
  readonly subject: string | undefined;
  /** The end-to-end fields of its answer, by their names in lower case. */
  readonly claims: Claims;
  /** In milliseconds since the epoch; undefined if it says nothing of an end. */
  readonly expiresAt: number | undefined;
}

const MAX_FIELDS = 64;
const MAX_BYTES = 8 * 1024;

/**
 * Reads an answer about a client that asked `host`: a 2xx lets it in. Throws RelayedAnswer for a refusal, TOKEN_EXPIRED for
 * what has ended at `now`, AUTH_UNAVAILABLE for everything else.
 */
export function readAnswer(
  answer: Answer,
  { subject, expires }: ExternalConfig,
  host: string,
  now: number,
): Proof {
  const { status, body } = answer;
  const fields = endToEnd(answer);
  if (isRefusal(status)) throw new RelayedAnswer({ status, headers: fields, body }, 'the auth service');
  if (status < 200 || status > 299) throw unavailable(`answered ${status}`);
  const claims = claimsIn(fields);
  const expiresAt = endIn(claims.get(expires));
  if (expiresAt !== undefined && expiresAt <= now)
    throw challenge('TOKEN_EXPIRED', host, {
      detail: `the auth service says in ${expires} that it has ended`,
    });
  return {
    subject: subject === undefined ? undefined : claims.get(subject),
    claims: Object.fromEntries(claims),
    expiresAt,
  };
}

/** Without the fields of its connection and of its body. */
function endToEnd({ fields }: Answer): readonly HeaderField[] {
  const nominated = nominatedRawFields(fields);
  const kept: HeaderField[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    const [name, value] = [fields[at] as string, fields[at + 1] as string];
    const known = cgiSpelling(name.toLowerCase());
    const kind = headerClass(known);
    const isOfConnection = kind === 'hop-by-hop' || kind === 'framing' || kind === 'handshake';
    if (!isOfConnection && !nominated.has(known)) kept.push([name, value]);
  }
  return kept;
}

/** Cookies are for the client, and no claims. Several fields of one name are one list (RFC 9110 §5.3). */
function claimsIn(fields: readonly HeaderField[]): ReadonlyMap<string, string> {
  const claims = new Map<string, string>();
  const counted = fields.filter(([name]) => name.toLowerCase() !== 'set-cookie');
  const bytes = counted.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (counted.length > MAX_FIELDS) throw unavailable(`answered with more than ${MAX_FIELDS} fields`);
  if (bytes > MAX_BYTES) throw unavailable(`answered with fields of more than ${MAX_BYTES} bytes`);
  for (const [name, value] of counted) {
    const key = name.toLowerCase();
    const before = claims.get(key);
    claims.set(key, before === undefined ? textOf(value) : `${before}, ${textOf(value)}`);
  }
  return claims;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Services write names in UTF-8, of which Node makes Latin-1. */
function textOf(value: string): string {
  if (/^[\0-\x7f]*$/.test(value)) return value;
  try {
    return utf8.decode(Buffer.from(value, 'latin1'));
  } catch {
    return value;
  }
}

const SECONDS = /^\d{1,12}(\.\d+)?$/;
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Seconds since the epoch, or an HTTP date (RFC 9110 §5.6.7), in milliseconds. What is neither must not last for ever. */
function endIn(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = SECONDS.test(text) ? Number(text) * 1000 : HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw unavailable('says an end that is neither seconds since the epoch nor an HTTP date');
  return ms;
}

function unavailable(what: string): GatewayError {
  return new GatewayError('AUTH_UNAVAILABLE', { detail: `the auth service ${what}` });
}
