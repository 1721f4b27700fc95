import type { CursorEntry } from '../../../config/poll/cursor.ts';
import { compilePointer, scalarOf } from '../json.ts';
import { invalid } from './invalid.ts';
import type { Item } from './items.ts';
import { sendable } from './source.ts';

/** Cursors that stand in items, and counting with those that are whole numbers, of any length. */

/**
 * Compiles which of the cursors in the items of an answer counts; undefined where none has one. The reader throws
 * UPSTREAM_INVALID for one that could not be sent back, or with `max` is no whole number.
 */
export function compilePicked(
  pointer: string,
  pick: CursorEntry['pick'] = 'last',
): (place: { readonly items: readonly Item[] }) => string | undefined {
  const find = compilePointer(pointer);
  const choose = { first: firstOf, last: lastOf, max: greatestOf }[pick];
  return function read({ items }) {
    const found = items.flatMap(({ value }) => sendable(scalarOf(find(value)), `item:${pointer}`) ?? []);
    return choose(found);
  };
}

const firstOf = (found: readonly string[]): string | undefined => found[0];
const lastOf = (found: readonly string[]): string | undefined => found.at(-1);

function greatestOf(found: readonly string[]): string | undefined {
  const [first, ...rest] = found.map(wholeNumber);
  if (first === undefined) return undefined;
  return String(rest.reduce((greatest, number) => (number > greatest ? number : greatest), first));
}

/** A cursor and a number. Throws UPSTREAM_INVALID if it is no whole number. */
export function sum(cursor: string, number: number): string {
  return String(wholeNumber(cursor) + BigInt(number));
}

/** Whether both are whole numbers, and `one` is the smaller. */
export function isSmaller(one: string, other: string): boolean {
  return isWhole(one) && isWhole(other) && BigInt(one) < BigInt(other);
}

function wholeNumber(text: string): bigint {
  if (isWhole(text)) return BigInt(text);
  throw invalid('a cursor that should be a whole number is none');
}

function isWhole(text: string): boolean {
  return /^-?\d+$/.test(text);
}
