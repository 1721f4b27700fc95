import { badRequest } from './fields.ts';

/**
 * What servers take a path for. They agree on most paths; on encoded slashes, backslashes, `;parameters`, empty segments
 * and bytes that are not UTF-8 they do not, and a path that is open as one of them reads it may be guarded as another does.
 */

/** The segments of a path as one server reads them, decoded. `/a/` has an empty one at its end. */
export type Reading = readonly string[];

/** Nothing that two servers read differently. */
const CLEAR = /^(?:\/[^/%;\\]+)*\/?$/;
const DOT_SEGMENT = /\/\.\.?(?:\/|$)/;
const MALFORMED_ESCAPE = /%(?![0-9a-f]{2})/i;

/** Of an honest path there are a few. Each costs a look at every route, and its length: so much in characters for all of them. */
const MAX_SPELLINGS = 64;
const MAX_CHARACTERS = 65_536;

/** What some servers make of a path before they split and decode it, in an order in which these habits go together. */
const HABITS: readonly ((path: string) => string)[] = [
  decodeOverlong,
  endAtControl,
  (path) => path.replaceAll('\\', '/'),
  (path) => path.replace(/;[^/]*/g, ''),
  (path) => path.replace(/%2f/gi, '/'),
  (path) => path.replace(/%5c/gi, '/'),
  (path) => path.replace(/(?:;|%3b)[^/]*/gi, ''),
  dropAuthority,
  (path) => path.replace(/\/{2,}/g, '/'),
];

/**
 * Every reading of `path`, which starts with a slash; the first is split as sent and then decoded. Throws BAD_REQUEST for malformed
 * escapes, for a dot-segment in any reading, and for paths that could be read in too many ways.
 */
export function readingsOf(path: string): readonly [Reading, ...Reading[]] {
  if (!CLEAR.test(path)) return readEachWay(path);
  if (DOT_SEGMENT.test(path)) throw badRequest('the path has a dot-segment');
  return [path.slice(1).split('/')];
}

function readEachWay(path: string): readonly [Reading, ...Reading[]] {
  if (MALFORMED_ESCAPE.test(path)) throw badRequest('the path has a malformed escape');
  const [first, ...others] = spellingsOf(path);
  const readings = [...decode(first), ...others.flatMap(decode)] as const;
  if (readings.some(hasDots)) throw badRequest('the path has a dot-segment');
  return readings as readonly [Reading, ...Reading[]];
}

/** The path as sent, and as every choice of habits makes it. */
function spellingsOf(path: string): [string, ...string[]] {
  const spellings = new Set([path]);
  for (const habit of HABITS) {
    for (const spelling of [...spellings]) spellings.add(habit(spelling));
    if (spellings.size > MAX_SPELLINGS || spellings.size * path.length > MAX_CHARACTERS)
      throw badRequest('the path can be read in too many ways');
  }
  return [...spellings] as [string, ...string[]];
}

/** `%c0%af` is a slash to decoders that do not insist on the shortest form (RFC 3629 §10). */
function decodeOverlong(path: string): string {
  return path.replace(/%c([01])%([89ab][0-9a-f])/gi, (_, high: string, low: string) =>
    String.fromCharCode((Number(high) << 6) | (Number.parseInt(low, 16) & 0x3f)),
  );
}

/** A NUL ends a text in C; a `$` in a server's pattern takes the end of a line for the end of the path. */
function endAtControl(path: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they come of overlong escapes
  return path.replace(/(?:%[01][0-9a-f]|[\0-\x1f]).*$/is, '');
}

/**
 * A URL parser takes what follows `//` for a host, and the path begins behind it; so it is at the beginning of a path, or
 * where the segments before it are left out on the way to the upstream.
 */
function dropAuthority(path: string): string {
  return path.replace(/(?<!\/)\/{2,}[^/]+\/?/, '/');
}

/** Bytes that are not UTF-8 are read as replacement characters by some, and as Latin-1 by others. */
function decode(spelling: string): Reading[] {
  const segments = spelling.slice(1).split('/');
  try {
    return [segments.map(decodeURIComponent)];
  } catch {
    const bytes = segments.map(unescapeBytes);
    const replaced = bytes.map((segment) => Buffer.from(segment, 'latin1').toString());
    return [
      replaced,
      replaced.map((text, index) => (text.includes('\ufffd') ? (bytes[index] as string) : text)),
    ];
  }
}

/** Escapes as the characters whose codes are their bytes. */
function unescapeBytes(segment: string): string {
  return segment.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function hasDots(reading: Reading): boolean {
  return reading.includes('.') || reading.includes('..');
}
