/** Makes whatever is logged safe to write: no credentials, no endless texts, nothing that breaks or forges a line. */

import { causeText } from '../causes.ts';

const MAX_TEXT = 1024;
const MAX_STACK = 8 * 1024;
const MAX_DEPTH = 5;
const MAX_ENTRIES = 100;

/** Header fields that carry credentials, in lower case. */
export const SECRET_FIELDS: readonly string[] = [
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'sec-websocket-protocol',
  'sec-websocket-key',
];

/** One look at them spares nearly every name the others. */
const SECRET_LENGTHS: ReadonlySet<number> = new Set(SECRET_FIELDS.map(({ length }) => length));

/** Stands where a credential stood. */
export const REDACTED = '[redacted]';

/**
 * A JWT, also one cut short (`eyJ` is `{"` in base64url), or an API key. It belongs in no text, so it is one that slipped in.
 * What has no dot behind its first part is none, and matches all the same: else each `eyJ` within it would be tried anew.
 */
const TOKEN = /eyJ[\w-]{8,}(?:\.[\w-]*){0,2}|sp_[\w-]{32,}/g;
const API_KEY = /sp_[\w-]{32,}/g;

/** Controls (C0, DEL, C1), line and paragraph separators, and the marks that reorder text on a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what it is looking for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Where none of the above can be found, plain or percent-encoded: nearly every text, and one look instead of four. */
const SUSPECT = /[^ -~]|eyJ|sp_|%[2-7]/;

/** Percent-encoded characters that mean the same as plain ones (RFC 3986 §2.3). */
const ESCAPED = /%(?:2[de]|3\d|[46][1-9a-f]|[57][\da]|5f|7e)/gi;

/** So far behind the place where a text is cut a token is looked for that begins before it. */
const AHEAD = 1024;

/**
 * A text as it may stand in a log line: at most 1 KiB characters, controls written out as `\u{1b}`. Tokens are looked for
 * before it is cut, for a part of one says enough.
 */
export function redactText(text: string, max = MAX_TEXT): string {
  if (text.length <= max && !SUSPECT.test(text)) return text;
  const known = unescaped(text, max + AHEAD);
  const kept = known.slice(0, endOf(known, max));
  const clean = kept.replace(TOKEN, withoutToken).replace(UNPRINTABLE, writtenOut);
  return clean.length > max || kept.length < known.length ? `${clean.slice(0, max)}…` : clean;
}

/** The first so many characters; those that hold a percent-encoded token without their escapes. */
function unescaped(text: string, length: number): string {
  const known = text.slice(0, length);
  if (!known.includes('%')) return known;
  const plain = text
    .slice(0, 3 * length)
    .replace(ESCAPED, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)))
    .slice(0, length);
  return plain.search(TOKEN) === -1 ? known : plain;
}

/** Where a text is cut: at `max`, or behind the token that stands there. */
function endOf(text: string, max: number): number {
  if (text.length <= max) return text.length;
  for (const { index, 0: token } of text.matchAll(TOKEN)) {
    const end = index + token.length;
    if (index < max && end > max) return end;
  }
  return max;
}

function withoutToken(found: string): string {
  return /^eyJ[^.]*$/.test(found) ? found.replace(API_KEY, REDACTED) : REDACTED;
}

function writtenOut(character: string): string {
  return `\\u{${character.charCodeAt(0).toString(16)}}`;
}

/** Marks fields whose maker has redacted what needs it: looking at each of them again costs more than writing them. */
export const IS_REDACTED: unique symbol = Symbol('redacted');

/** The fields of a log line, every one redacted at any depth; errors become plain objects. */
export function redactFields(fields: object): Record<string, unknown> {
  if (IS_REDACTED in fields) return fields as Record<string, unknown>;
  return redactEntries(fields, MAX_DEPTH);
}

function redactEntries(fields: object, depth: number): Record<string, unknown> {
  // Without a prototype, so that a field named __proto__ is a field.
  const redacted: Record<string, unknown> = Object.create(null);
  let count = 0;
  for (const name of Object.keys(fields)) {
    const value = (fields as Record<string, unknown>)[name];
    count += 1;
    if (count > MAX_ENTRIES) break;
    if (value !== undefined) redacted[redactText(name)] = redactField(name, value, depth);
  }
  return redacted;
}

function redactField(name: string, value: unknown, depth: number): unknown {
  return isSecret(name) ? REDACTED : redactValue(value, depth);
}

function isSecret(name: string): boolean {
  return SECRET_LENGTHS.has(name.length) && SECRET_FIELDS.includes(name.toLowerCase());
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth === 0) return '[…]';
  if (value instanceof Error) return redactError(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return redactList(value, depth);
  return redactEntries(value, depth - 1);
}

function redactList(list: readonly unknown[], depth: number): unknown[] {
  // A header field travels as the pair [name, value].
  if (list.length === 2 && typeof list[0] === 'string') {
    return [redactText(list[0]), redactField(list[0], list[1], depth - 1)];
  }
  return list.slice(0, MAX_ENTRIES).map((item) => redactValue(item, depth - 1));
}

/** Only the properties named here: others carry claims, sockets and whole responses. */
function redactError(error: Error & { code?: unknown; detail?: unknown }, depth: number) {
  const { name, code, detail, message, cause } = error;
  return {
    type: name,
    message: redactText(message),
    stack: redactStack(error.stack ?? ''),
    ...(code === undefined ? {} : { code: redactValue(code, 0) }),
    ...(detail === undefined ? {} : { detail: redactValue(detail, 0) }),
    ...(cause === undefined ? {} : { cause: redactValue(cause, depth - 1) }),
  };
}

/** A stack keeps its lines: JSON writes them as `\n`. */
function redactStack(stack: string): string {
  const lines = stack.slice(0, MAX_STACK).split('\n').slice(0, MAX_ENTRIES);
  return lines.map((line) => redactText(line)).join('\n');
}

/** An error and what caused it in one line: `the handshake failed: ECONNREFUSED: connect …`. Any thrown value will do. */
export function describeError(thrown: unknown): string {
  return redactText(causeText(thrown));
}
