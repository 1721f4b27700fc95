import { type Claims, claimReader } from '../../admission/claims.ts';
import { type AllowRule, readRule } from '../../config/tcp/allow.ts';
import { GatewayError } from '../../errors.ts';
import type { AskedTarget } from './asked.ts';
import { ruleFor } from './judge.ts';

/** More than any token has use for. */
const MAX_RULES = 100;
const MAX_TEXT = 300;

/** Narrows down, by a claim of the client, what the configuration allows. Throws TARGET_REFUSED. */
export type Narrow = (claims: Claims, asked: AskedTarget) => void;

/** Compiles `allowClaim`; absent, it leaves all as it is. A claim that is missing, or not a list of rules, allows nothing. */
export function compileNarrow(name: string | undefined): Narrow {
  if (name === undefined) return () => {};
  const read = claimReader(name);
  return function narrow(claims, asked) {
    const rules = rulesIn(read(claims));
    if (rules === undefined) throw refused(`the claim ${name} is missing, or no list of host:port`);
    if (ruleFor(rules, asked) === undefined) throw refused(`the claim ${name} does not allow it`);
  };
}

function refused(detail: string): GatewayError {
  return new GatewayError('TARGET_REFUSED', { detail });
}

function rulesIn(value: unknown): AllowRule[] | undefined {
  const texts: unknown[] = Array.isArray(value) ? value : [value];
  if (texts.length > MAX_RULES) return undefined;
  const rules = texts.map((text) =>
    typeof text === 'string' && text.length <= MAX_TEXT ? readRule(text) : undefined,
  );
  return rules.every((rule) => rule !== undefined) ? rules : undefined;
}
