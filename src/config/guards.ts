import { type AddressBlock, matchAddress } from '../http/address.ts';
import type { RequestKind } from '../http/request.ts';
import { covers, intersection, type Match } from './patterns.ts';
import type { RouteConfig } from './schema.ts';
import { servedKinds } from './upstream-kinds.ts';

/** What routes ask of their clients, and which requests come to one that asks for less than another. */

/** Whether a route takes requests of a kind. */
export function serves({ upstream }: RouteConfig, kind: RequestKind): boolean {
  return servedKinds(upstream).includes(kind);
}

/** The requests among those that fit `match` which `route` takes, no earlier one of `routes`; undefined if there are none. */
export function comingTo(
  route: RouteConfig,
  match: Match,
  kind: RequestKind,
  routes: readonly RouteConfig[],
): Match | undefined {
  const common = serves(route, kind) ? intersection(match, route.match) : undefined;
  if (common === undefined) return undefined;
  const before = routes.slice(0, routes.indexOf(route));
  const isTaken = before.some((earlier) => serves(earlier, kind) && covers(earlier.match, common));
  return isTaken ? undefined : common;
}

/** What the one asks for and the other does not, by the names of the keys. */
export function missingGuards(loose: RouteConfig, strict: RouteConfig): string[] {
  const missing: string[] = [];
  if (lacksAuth(loose.auth, strict.auth)) missing.push('auth');
  if (lacksAddresses(loose.addresses, strict.addresses)) missing.push('addresses');
  if (lacksOrigins(loose.origins, strict.origins)) missing.push('origins');
  return missing;
}

function lacksAuth(loose: RouteConfig['auth'], strict: RouteConfig['auth']): boolean {
  if (strict === 'none') return false;
  if (loose === 'none' || loose.issuer.some((name) => !strict.issuer.includes(name))) return true;
  return Object.entries(strict.require).some(([claim, wanted]) => {
    const given = [loose.require[claim] ?? []].flat();
    return [wanted].flat().some((value) => !given.includes(value));
  });
}

function lacksAddresses(
  loose: RouteConfig['addresses'] = {},
  strict: RouteConfig['addresses'] = {},
): boolean {
  const { allow } = strict;
  const letsMoreIn = allow !== undefined && !(loose.allow?.every((block) => isWithin(block, allow)) ?? false);
  const deniesLess = strict.deny?.some((block) => !isWithin(block, loose.deny ?? [])) ?? false;
  return letsMoreIn || deniesLess;
}

function isWithin([address, prefix]: AddressBlock, blocks: readonly AddressBlock[]): boolean {
  return blocks.some((block) => block[1] <= prefix && matchAddress([block])(address.toString()));
}

/** Without `origins` pages of the same host pass, which a list need not name. */
function lacksOrigins(loose: RouteConfig['origins'], strict: RouteConfig['origins']): boolean {
  if (strict === undefined) return false;
  return loose === undefined || loose.some((origin) => !strict.includes(origin));
}
