import type { Wanted } from '../../config/auth.ts';
import { type Claims, claimReader } from '../claims.ts';

/** Microsoft and Okta say `scp`. */
const SPACED: ReadonlySet<string> = new Set(['scope', 'scp']);

type Plain = string | number | boolean;

interface Rule {
  readonly name: string;
  readonly read: (claims: Claims) => unknown;
  readonly isEnough: (members: readonly unknown[]) => boolean;
}

/**
 * Compiles `require` into a function that names the first claim that falls short; undefined if all suffice.
 * A claim suffices that equals what is wanted, or is a list with it among its members; `scope` and `scp` are lists
 * written with spaces (RFC 8693 §4.2). Several values wanted: every one of them, or with `anyOf` one.
 */
export function claimRule(required: Wanted): (claims: Claims) => string | undefined {
  const rules = Object.entries(required).map(([name, wanted]) => compile(name, wanted));
  return function lacking(claims) {
    return rules.find(({ name, read, isEnough }) => !isEnough(membersOf(name, read(claims))))?.name;
  };
}

/** The scopes a token must have, separated by spaces; undefined if none are required. */
export function requiredScope({ scope }: Wanted): string | undefined {
  if (scope === undefined) return undefined;
  return isChoice(scope) ? scope.anyOf.join(' ') : valuesOf('scope', scope).join(' ');
}

function compile(name: string, wanted: Wanted[string]): Rule {
  const read = claimReader(name);
  if (isChoice(wanted))
    return { name, read, isEnough: (members) => wanted.anyOf.some((value) => members.includes(value)) };
  const values = valuesOf(name, wanted);
  return { name, read, isEnough: (members) => values.every((value) => members.includes(value)) };
}

function isChoice(wanted: Wanted[string]): wanted is { anyOf: Plain[] } {
  return typeof wanted === 'object' && !Array.isArray(wanted);
}

function valuesOf(name: string, wanted: Plain | readonly Plain[]): readonly Plain[] {
  const values = Array.isArray(wanted) ? (wanted as readonly Plain[]) : [wanted as Plain];
  return SPACED.has(name) ? values.flatMap((item) => String(item).split(' ')) : values;
}

function membersOf(name: string, claim: unknown): readonly unknown[] {
  if (Array.isArray(claim)) return claim;
  return SPACED.has(name) && typeof claim === 'string' ? claim.split(' ') : [claim];
}
