import type { AddressBlock } from '../../http/address.ts';
import { specialWithin } from '../../http/special-ranges.ts';
import type { Finding, Path } from '../problem.ts';
import type { RouteConfig } from '../schema.ts';
import type { AllowRule } from './allow.ts';
import { isDynamic } from './targets.ts';

/** What nobody proves, everybody may. */
export function openTunnel({ upstream: { tcp } }: RouteConfig, path: Path): Finding[] {
  if (tcp === undefined) return [];
  const what = isDynamic(tcp) ? 'the TCP services that it leads to' : 'this TCP service';
  const message = `anybody who reaches the gateway can talk to ${what}`;
  return [{ path: [...path, 'auth'], message }];
}

/** Blocks that seem to open private addresses, and do not: a special range is opened by what lies within it alone. */
export function wideBlocks({ upstream: { allow = [] } }: RouteConfig, path: Path): Finding[] {
  return allow.flatMap((rule, index) =>
    blocksOf(rule).flatMap((block) => {
      const inside = specialWithin(block);
      if (inside === undefined) return [];
      const message = `${block[0]}/${block[1]} opens public addresses only: ${inside} and the like within it stay closed`;
      const hint = `name what is meant of them by blocks of their own, such as ${inside}`;
      return [{ path: [...path, 'upstream', 'allow', index], message, hint }];
    }),
  );
}

function blocksOf(rule: AllowRule): readonly AddressBlock[] {
  return rule.kind === 'address' ? [rule.block] : (rule.resolvesTo ?? []);
}
