/** JSON as a relay needs it: numbers keep their digits, and a pointer (RFC 6901) finds a place. */

interface RawJson {
  readonly rawJSON: string;
}

// In every supported Node (22.12 and later), but not yet in TypeScript's es2023 library.
const { rawJSON, isRawJSON } = JSON as unknown as {
  rawJSON(text: string): RawJson;
  isRawJSON(value: unknown): value is RawJson;
};

/** Digits or an exponent that a double may not hold. */
const DELICATE_NUMBER = /\d{16}|\d\.\d{15}|\d[eE]/;

/** Some services begin with it, and a parser may pass over it (RFC 8259 §8.1). */
const BYTE_ORDER_MARK = '\ufeff';

/** Parses JSON; a number that a double would change is kept as its text, so that `textOf` gives it back unchanged. Throws SyntaxError. */
export function parseJson(json: string): unknown {
  const text = json.startsWith(BYTE_ORDER_MARK) ? json.slice(1) : json;
  return DELICATE_NUMBER.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text);
}

function keepDigits(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  return typeof value === 'number' && source !== undefined && String(value) !== source
    ? rawJSON(source)
    : value;
}

/** A value as the text of a message: a string's content, anything else as JSON. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A string or number as text, such as a session's name or a cursor; undefined for anything else. */
export function scalarOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || isRawJSON(value) ? JSON.stringify(value) : undefined;
}

/** Compiles a JSON pointer (RFC 6901), '' for the whole document. What it finds nothing at is undefined. */
export function compilePointer(pointer: string): (document: unknown) => unknown {
  const steps = stepsOf(pointer);
  return function find(document) {
    return steps.reduce(child, document);
  };
}

function child(parent: unknown, step: string): unknown {
  if (Array.isArray(parent)) return /^(0|[1-9]\d*)$/.test(step) ? parent[Number(step)] : undefined;
  if (typeof parent !== 'object' || parent === null || isRawJSON(parent)) return undefined;
  return Object.hasOwn(parent, step) ? (parent as Record<string, unknown>)[step] : undefined;
}

function stepsOf(pointer: string): string[] {
  // RFC 6901 §4: ~1 first, or "~01" would become "/".
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/**
 * A document with a value at a pointer, or, where the value is undefined, with nothing there: the document itself, changed. Objects
 * that lead there are made where there are none; of an array, an item is replaced or put behind the last (`-`). Throws
 * TypeError where something else is in the way.
 */
export function changed(document: unknown, pointer: string, value: unknown): unknown {
  return changedAt(document, stepsOf(pointer), value);
}

function changedAt(parent: unknown, [step, ...rest]: readonly string[], value: unknown): unknown {
  if (step === undefined) return value;
  if (value === undefined && child(parent, step) === undefined) return parent;
  if (Array.isArray(parent)) return changedItem(parent, step, rest, value);
  const holder = parent === undefined ? {} : parent;
  if (typeof holder !== 'object' || holder === null || isRawJSON(holder))
    throw new TypeError(`there is no place for ${step}`);
  const inner = changedAt(child(holder, step), rest, value);
  if (inner === undefined) {
    delete (holder as Record<string, unknown>)[step];
    return holder;
  }
  // Unlike an assignment this makes a member of any name, as JSON.parse does.
  const member = { value: inner, enumerable: true, configurable: true, writable: true };
  return Object.defineProperty(holder, step, member);
}

function changedItem(list: unknown[], step: string, rest: readonly string[], value: unknown): unknown[] {
  const index = step === '-' ? list.length : Number(step);
  if (!/^(-|0|[1-9]\d*)$/.test(step) || index > list.length)
    throw new TypeError(`there is no place for ${step}`);
  const inner = changedAt(list[index], rest, value);
  if (inner === undefined) list.splice(index, 1);
  else list[index] = inner;
  return list;
}
