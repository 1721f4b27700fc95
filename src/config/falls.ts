import { type AddressBlock, matchAddress } from '../http/address.ts';
import type { RequestKind } from '../http/request.ts';
import { covers, intersection, type Match } from './patterns.ts';
import type { Finding } from './problem.ts';
import type { Config, RouteConfig } from './schema.ts';
import { servedKinds } from './upstream-kinds.ts';

const NAMES: Readonly<Record<RequestKind, string>> = { upgrade: 'upgrades', request: 'plain requests' };
const KINDS = Object.keys(NAMES) as readonly RequestKind[];

/**
 * Where requests fall past a guarded route, because it does not serve their kind, onto a later one that asks for less.
 * Told by the patterns of the routes, so of requests that could come, whether they do or not.
 */
export function unguardedFalls({ routes }: Pick<Config, 'routes'>): Finding[] {
  return routes.flatMap((guarded, index) =>
    KINDS.filter((kind) => !serves(guarded, kind)).flatMap((kind) =>
      routes.slice(index + 1).flatMap((later) => {
        const requests = fallenOnto(later, guarded, kind, routes);
        const missing = missingGuards(later, guarded);
        if (requests === undefined || missing.length === 0) return [];
        return [finding(index, `${NAMES[kind]} for ${textOf(requests)}`, later.name, missing)];
      }),
    ),
  );
}

function finding(index: number, requests: string, onto: string, missing: readonly string[]): Finding {
  return {
    path: ['routes', index, 'match'],
    message: `${requests} fall past this route onto ${onto}, which asks for less (${missing.join(', ')})`,
    hint: `serve them here too, guard ${onto} alike, or move it above if that is meant`,
    atKey: true,
  };
}

function textOf({ host = '', path }: Match): string {
  return host + path;
}

function serves({ upstream }: RouteConfig, kind: RequestKind): boolean {
  return servedKinds(upstream).includes(kind);
}

/** The requests that match both routes and come to the later one; undefined if there are none. */
function fallenOnto(
  later: RouteConfig,
  guarded: RouteConfig,
  kind: RequestKind,
  routes: readonly RouteConfig[],
): Match | undefined {
  const common = serves(later, kind) ? intersection(guarded.match, later.match) : undefined;
  if (common === undefined) return undefined;
  const before = routes.slice(0, routes.indexOf(later));
  const isTaken = before.some((route) => serves(route, kind) && covers(route.match, common));
  return isTaken ? undefined : common;
}

/** What the one asks for and the other does not, by the names of the keys. */
function missingGuards(loose: RouteConfig, strict: RouteConfig): string[] {
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
