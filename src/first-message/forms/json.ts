import { missing } from './form.ts';

/** JSON of which one string is taken out, and the rest says what it said. */

/** `rawJSON` keeps numbers as they were written; Node has it since 21 (V8 11.4), TypeScript's es2024 does not know it. */
interface ExactJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source: string }) => unknown,
  ): unknown;
  rawJSON(text: string): object;
  isRawJSON(value: unknown): boolean;
}
const exact = JSON as unknown as ExactJson;

type Container = Record<string, unknown> | unknown[];

/** Tokens that stood at some places of a JSON text, and the text without them. */
export interface TakenOut {
  readonly tokens: readonly string[];
  readonly text: string;
}

/**
 * Takes the texts at these places out. A member of an object goes as a whole; in an array, where the others must keep their places,
 * an empty text is left. Of members of one name only the last is read, and only that goes on. Throws TOKEN_MISSING for what is no JSON.
 */
export function takeOut(text: string, places: readonly (readonly string[])[]): TakenOut {
  return takeOutOf(parseExactly(text), places);
}

/** The same of what `parseExactly` has read. */
export function takeOutOf(root: unknown, places: readonly (readonly string[])[]): TakenOut {
  const tokens = places.flatMap((place) => takeFrom(root, place) ?? []);
  return { tokens, text: JSON.stringify(root) };
}

/** Reads JSON whose numbers are written again as they were. Throws TOKEN_MISSING. */
export function parseExactly(text: string): unknown {
  try {
    return exact.parse(text, (_, value, { source }) =>
      typeof value === 'number' ? exact.rawJSON(source) : value,
    );
  } catch {
    // Too deep for the stack is no message of anybody either.
    throw missing('is no JSON');
  }
}

/** The names along a JSON pointer (RFC 6901 §4). */
export function placeOf(pointer: string): readonly string[] {
  const names = pointer.split('/').slice(1);
  return names.map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function takeFrom(root: unknown, place: readonly string[]): string | undefined {
  const parent = place.slice(0, -1).reduce<unknown>((value, name) => memberOf(value, name), root);
  const last = place.at(-1) ?? '';
  const value = memberOf(parent, last);
  if (typeof value !== 'string' || value === '') return undefined;
  if (Array.isArray(parent)) parent[Number(last)] = '';
  else delete (parent as Record<string, unknown>)[last];
  return value;
}

function memberOf(value: unknown, name: string): unknown {
  if (!isContainer(value)) return undefined;
  if (Array.isArray(value)) return /^(?:0|[1-9]\d*)$/.test(name) ? value[Number(name)] : undefined;
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null && !exact.isRawJSON(value);
}
