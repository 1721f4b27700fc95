import { complaintAbout, namesIn, type Placeholder, piecesOf, readPlaceholder } from '../placeholders.ts';
import type { Complain } from './common.ts';

/** What may stand in the templates of a session: which placeholders are filled where, and what a body looks like. */

/** What is known where a template is filled. */
export interface Known {
  /** Names that the route’s path captures. */
  readonly captures: readonly string[];
  /** Names of its own, such as `seq` for a send. */
  readonly own: readonly string[];
  /** There are claims. */
  readonly hasClaims: boolean;
}

/** Names that are known for every request of a session. */
const ALWAYS: readonly string[] = ['connection', 'query'];

/** What is wrong with a path, as it stands in the configuration; undefined if nothing is. */
export function pathFault(path: string, known: Known): string | undefined {
  const fault = firstFault(namesIn(path), known);
  if (fault !== undefined) return fault;
  const [beforeQuery = ''] = path.split('?');
  const loose = LOOSE.filter((name) => !known.captures.includes(name));
  const name = namesIn(beforeQuery).find((one) => loose.includes(one));
  return name === undefined ? undefined : `{${name}} stands behind a ? only`;
}

/** What a client says freely could lead elsewhere: `..` is a reason, too. */
const LOOSE: readonly string[] = ['query', 'reason'];

/** The same of the value of a header, or of a text. */
export function textFault(text: string, known: Known): string | undefined {
  return firstFault(namesIn(text), known);
}

/** The same of a text in which braces that are none of a placeholder stand for themselves. */
export function valueFault(text: string, known: Known): string | undefined {
  for (const piece of piecesOf(text)) {
    const fault = typeof piece === 'string' ? undefined : placeholderFault(piece, known);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/**
 * The same of a body, with the type it is sent with. `{message.json}` and `{items}` stand in JSON only, and outside of quotes,
 * as no value could break out there.
 */
export function bodyFault(body: string, type: string, known: Known): string | undefined {
  const fault = valueFault(body, known);
  if (fault !== undefined) return fault;
  const pieces = piecesOf(body);
  const placeholders = pieces.filter((piece) => typeof piece !== 'string');
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(type);
  const json = placeholders.find(isJson);
  if (isForm) return json && `{${spelled(json)}} stands in JSON only`;
  if (!/^[a-z]+\/([\w.+-]+[+-])?json\b/i.test(type))
    return `a body is JSON or a form: no values can be put into ${type} safely`;
  return jsonFault(pieces);
}

/** It stands for JSON, and not for a value. */
const isJson = (placeholder: Placeholder) => ['message.json', 'items'].includes(spelled(placeholder));

/** What no value can turn into something else is JSON with letters for values in strings, and null for others. */
function jsonFault(pieces: readonly (string | Placeholder)[]): string | undefined {
  let isInString = false;
  let sample = '';
  for (const piece of pieces) {
    if (typeof piece === 'string') {
      for (const [token] of piece.matchAll(/\\.|"/gs)) isInString = isInString !== (token === '"');
      sample += piece;
      continue;
    }
    if (isJson(piece) && isInString) return outsideOfQuotes(piece);
    sample += isInString ? 'x' : 'null';
  }
  return isParsed(sample) ? undefined : 'is not JSON, with values in place of its placeholders';
}

function outsideOfQuotes({ name, of }: Placeholder): string {
  return of === undefined
    ? `{${name}} stands outside of quotes`
    : `{${name}.${of}} stands outside of quotes: within them {${name}} does`;
}

function isParsed(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function firstFault(names: readonly string[], known: Known): string | undefined {
  for (const name of names) {
    const fault = /[{}"]/.test(name)
      ? complaintAbout(name)
      : placeholderFault(readPlaceholder(name), known, name);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function placeholderFault(
  placeholder: Placeholder,
  known: Known,
  text = spelled(placeholder),
): string | undefined {
  const { name, of, fallback } = placeholder;
  if (name === 'claims' && of !== undefined)
    return known.hasClaims ? undefined : `{${text}}: there are no claims on a route with auth: none`;
  if (of !== undefined && name === 'query') return undefined;
  if (of?.startsWith('/') && name === 'item' && known.own.includes(name)) return undefined;
  if (fallback !== undefined) return `{${text}}: only {query.NAME} and {claims.NAME} take a default behind |`;
  const whole = of === undefined ? name : `${name}.${of}`;
  return [...known.captures, ...known.own, ...ALWAYS].includes(whole) ? undefined : complaintAbout(text);
}

function spelled({ name, of, fallback }: Placeholder): string {
  return name + (of === undefined ? '' : `.${of}`) + (fallback === undefined ? '' : `|${fallback}`);
}

/** The complaint about one key, if there is one. */
export function report(path: PropertyKey[], fault: string | undefined, complain: Complain): void {
  if (fault !== undefined) complain(path, fault);
}
