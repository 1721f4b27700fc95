import type { AuthConfig } from '../../config/schema.ts';

type Claims = Readonly<Record<string, unknown>>;
type Wanted = string | number | boolean;

/**
 * Compiles `require` into a function that names the first claim that falls short; undefined if all suffice.
 * A claim suffices that equals what is wanted, or is a list with it among its members; `scope` is a list written
 * with spaces (RFC 8693 §4.2). Several values wanted: every one of them.
 */
export function claimRule(required: AuthConfig['require']): (claims: Claims) => string | undefined {
  const rules = Object.entries(required).map(([name, value]) => ({ name, wanted: wantedOf(name, value) }));
  return function lacking(claims) {
    return rules.find(({ name, wanted }) => !suffices(name, wanted, claims))?.name;
  };
}

/** The scopes a token must have, separated by spaces; undefined if none are required. */
export function requiredScope(required: AuthConfig['require']): string | undefined {
  return required.scope === undefined ? undefined : wantedOf('scope', required.scope).join(' ');
}

function wantedOf(name: string, value: AuthConfig['require'][string]): readonly Wanted[] {
  const values = Array.isArray(value) ? value : [value];
  return name === 'scope' ? values.flatMap((item) => String(item).split(' ')) : values;
}

function suffices(name: string, wanted: readonly Wanted[], claims: Claims): boolean {
  const members = membersOf(name, claims[name]);
  return wanted.every((value) => members.includes(value));
}

function membersOf(name: string, claim: unknown): readonly unknown[] {
  if (Array.isArray(claim)) return claim;
  return name === 'scope' && typeof claim === 'string' ? claim.split(' ') : [claim];
}
