import { GatewayError } from '../errors.ts';
import type { HeaderField } from './request.ts';

/** Header fields: from what Node hands on to pairs, and the grammars several of them share (RFC 9110 §5). */

/** Far above what browsers and proxies send (some 30), far below what costs anything. */
const MAX_FIELDS = 100;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const NOT_A_VALUE = /[^\t -~\u0080-\u00ff]/;

const NONE: readonly string[] = [];

/** Header fields in order, and by lower-case name. */
export interface Fields {
  readonly list: readonly HeaderField[];
  /** Every value sent under a name, in order. */
  all(name: string): readonly string[];
  /** The value of a field that may come once only. Throws BAD_REQUEST if it came twice: nobody could say which one counts. */
  one(name: string): string | undefined;
}

/** Takes Node's flat list of names and values apart. Throws HEADERS_TOO_LARGE beyond 100 fields, BAD_REQUEST for broken ones. */
export function readFields(rawHeaders: readonly string[]): Fields {
  if (rawHeaders.length > MAX_FIELDS * 2) throw new GatewayError('HEADERS_TOO_LARGE');
  const list: HeaderField[] = [];
  const byName = new Map<string, string[]>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    if (!isToken(name) || NOT_A_VALUE.test(value)) throw badRequest('a header field is malformed');
    list.push([name, value]);
    const key = name.toLowerCase();
    const values = byName.get(key);
    if (values) values.push(value);
    else byName.set(key, [value]);
  }
  const all = (name: string) => byName.get(name) ?? NONE;
  return { list, all, one: (name) => onlyOne(name, all(name)) };
}

function onlyOne(name: string, values: readonly string[]): string | undefined {
  if (values.length > 1) throw badRequest(`${name} came more than once`);
  return values[0];
}

/** A token of RFC 9110 §5.6.2. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** The elements of a comma-separated list that holds no quoted strings, trimmed. Empty ones are kept for the caller to judge. */
export function splitList(values: readonly string[]): string[] {
  return values.flatMap((value) => value.split(',')).map((element) => element.trim());
}

/** One `name` or `name=value` of a list element; a quoted value comes without its quotes. Names as sent. */
export type Parameter = readonly [name: string, value: string | undefined];

/**
 * Reads `a; b=c; d="e", f` as elements of parameters: the form of Sec-WebSocket-Extensions (RFC 6455 §9.1) and of
 * Forwarded (RFC 7239 §4). Undefined if it is malformed. Takes time linear in the text: no step goes back.
 */
export function parseParameters(text: string): Parameter[][] | undefined {
  const scan = scanner(text);
  const elements: Parameter[][] = [];
  do {
    const element: Parameter[] = [];
    do {
      const parameter = scan.parameter();
      if (!parameter) return undefined;
      element.push(parameter);
    } while (scan.delimiter(';'));
    elements.push(element);
  } while (scan.delimiter(','));
  return scan.atEnd() ? elements : undefined;
}

function scanner(text: string) {
  let position = 0;
  /** What `pattern` (sticky) finds right here, consumed. */
  function take(pattern: RegExp): string | undefined {
    pattern.lastIndex = position;
    const found = pattern.exec(text)?.[0];
    position += found?.length ?? 0;
    return found;
  }
  function delimiter(character: ',' | ';' | '='): boolean {
    if (text[position] !== character) return false;
    position += 1;
    return true;
  }
  function quoted(): string | undefined {
    return take(/"(?:[^"\\]|\\.)*"/y)
      ?.slice(1, -1)
      .replace(/\\(.)/g, '$1');
  }
  function parameter(): Parameter | undefined {
    take(/[ \t]*/y);
    const name = take(/[!#$%&'*+.^_`|~0-9A-Za-z-]+/y);
    const given = name !== undefined && delimiter('=');
    const value = given ? (quoted() ?? take(/[!#$%&'*+.^_`|~0-9A-Za-z-]+/y)) : undefined;
    take(/[ \t]*/y);
    return name === undefined || (given && value === undefined) ? undefined : [name, value];
  }
  return { parameter, delimiter, atEnd: () => position === text.length };
}

/** BAD_REQUEST with a reason for the log. */
export function badRequest(detail: string): GatewayError {
  return new GatewayError('BAD_REQUEST', { detail });
}
