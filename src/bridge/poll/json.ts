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
  // RFC 6901 §4: ~1 first, or "~01" would become "/".
  const steps = pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  return function find(document) {
    return steps.reduce(child, document);
  };
}

function child(parent: unknown, step: string): unknown {
  if (Array.isArray(parent)) return /^(0|[1-9]\d*)$/.test(step) ? parent[Number(step)] : undefined;
  if (typeof parent !== 'object' || parent === null || isRawJSON(parent)) return undefined;
  return Object.hasOwn(parent, step) ? (parent as Record<string, unknown>)[step] : undefined;
}
