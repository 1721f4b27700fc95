import { stringify } from 'yaml';
import { isTree } from '../tree.ts';
import type { Example } from './examples.ts';
import type { Key } from './keys.ts';

/** How keys are used in the configurations that come with the program. */

export interface Use {
  readonly value: unknown;
  readonly example: string;
}

/** The shortest use that says something other than the default; of several the first. */
export function shortestUse(key: Key, examples: readonly Example[]): Use | undefined {
  const { fallback } = key;
  const usual = fallback?.kind === 'default' ? flow(fallback.value) : undefined;
  const isUsual = ({ value }: Use) => flow(value) === usual;
  const uses = usesOf(key, examples).sort((one, other) => flow(one.value).length - flow(other.value).length);
  return uses.find((use) => !isUsual(use)) ?? uses[0];
}

/** The longest one of at most `lines` lines, as it is written on several; else the shortest. */
export function fullestUse(key: Key, examples: readonly Example[], lines: number): Use | undefined {
  const lengthOf = ({ value }: Use) => block(value).split('\n').length;
  const uses = usesOf(key, examples).filter((use) => lengthOf(use) <= lines);
  return uses.sort((one, other) => lengthOf(other) - lengthOf(one))[0] ?? shortestUse(key, examples);
}

function usesOf({ path, of }: Key, examples: readonly Example[]): Use[] {
  return examples.flatMap(({ name, tree }) => {
    const holders = of === undefined ? [tree] : valuesAt(tree, of.path).flatMap(listed);
    const found = holders.filter((holder) => of === undefined || profileOf(holder) === of.profile);
    const values = found.flatMap((holder) => valuesAt(holder, path.slice(of?.path.length ?? 0)));
    return values.map((value) => ({ value, example: name }));
  });
}

function listed(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [value];
}

/** Undefined where the keys are no profile's, as in a lone URL. */
function profileOf(holder: unknown): unknown {
  return isTree(holder) ? (holder.profile ?? 'generic') : undefined;
}

/** A value as it is written on several lines. */
export function block(value: unknown): string {
  return stringify(value, { lineWidth: 120 }).trim();
}

/** A value as it is written on one line: `{ max: 10, per: [subject] }`. */
export function flow(value: unknown): string {
  const text = stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim();
  return text.replace(/\[ /g, '[').replace(/ \]/g, ']');
}

/** Everything that stands at `path`, within lists too. */
function valuesAt(tree: unknown, path: readonly string[]): unknown[] {
  return path.reduce<unknown[]>((found, step) => found.flatMap((value) => inside(value, step)), [tree]);
}

function inside(value: unknown, step: string): unknown[] {
  if (Array.isArray(value)) return value.flatMap((item) => inside(item, step));
  if (!isTree(value)) return [];
  if (step === '*') return Object.values(value);
  return Object.hasOwn(value, step) ? [value[step]] : [];
}
