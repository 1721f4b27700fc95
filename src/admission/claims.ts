import { isDeepStrictEqual } from 'node:util';

/** What is known of a client, by name. */
export type Claims = Readonly<Record<string, unknown>>;

/**
 * Compiles where a claim stands: a name is that of a member, however it looks (`https://app.example.com/roles`); what
 * begins with a slash is a JSON Pointer (RFC 6901), such as `/realm_access/roles`. What is not there is undefined.
 */
export function claimReader(name: string): (claims: Claims) => unknown {
  if (!name.startsWith('/')) return (claims) => member(claims, name);
  const steps = name
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  return (claims) => steps.reduce<unknown>(member, claims);
}

/** Own members only: no claim is called `constructor` unless somebody made it. */
function member(holder: unknown, name: string): unknown {
  if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, name)) return undefined;
  return (holder as Record<string, unknown>)[name];
}

/** Whether both say the same under these names. */
export function saySame(names: readonly string[], one: Claims, other: Claims): boolean {
  return names.map(claimReader).every((read) => isDeepStrictEqual(read(one), read(other)));
}
