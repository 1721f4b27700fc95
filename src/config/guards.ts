import { type AddressBlock, matchAddress } from '../http/address.ts';
import type { RequestKind } from '../http/request.ts';
import type { Wanted } from './auth.ts';
import type { CertificateSubject } from './certificate-subject.ts';
import { covers, intersection, type Match } from './patterns.ts';
import type { AuthConfig, RouteConfig } from './schema.ts';
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
  if (loose === 'none' || lacksProof(loose, strict)) return true;
  return Object.entries(strict.require).some(([claim, wanted]) => asksLess(loose.require[claim], wanted));
}

/** Something is let in that the strict one does not know, or something is not asked for. */
function lacksProof(loose: AuthConfig, strict: AuthConfig): boolean {
  const isTokenFree = loose.issuer.length === 0 && loose.keys === undefined;
  const asksForToken = strict.issuer.length > 0 || strict.keys !== undefined;
  if (isTokenFree && asksForToken) return true;
  if (loose.issuer.some((name) => !strict.issuer.includes(name))) return true;
  if (loose.keys !== undefined && loose.keys !== strict.keys) return true;
  return lacksCertificate(loose, strict) || lacksExternal(loose, strict);
}

function lacksCertificate({ certificate: loose }: AuthConfig, { certificate: strict }: AuthConfig): boolean {
  if (strict === undefined) return false;
  const { subjects } = strict;
  if (loose === undefined || subjects === undefined) return loose === undefined;
  const isWanted = ({ by, name }: CertificateSubject) =>
    subjects.some((one) => one.by === by && one.name === name);
  return !(loose.subjects?.every(isWanted) ?? false);
}

function lacksExternal({ external: loose }: AuthConfig, { external: strict }: AuthConfig): boolean {
  return strict !== undefined && loose?.url !== strict.url;
}

/** Whether `given` is no more than a part of what `wanted` asks for; choices are compared as a whole. */
function asksLess(given: Wanted[string] | undefined, wanted: Wanted[string]): boolean {
  if (typeof wanted === 'object' && !Array.isArray(wanted))
    return JSON.stringify(given) !== JSON.stringify(wanted);
  const values = [given ?? []].flat();
  return [wanted].flat().some((value) => !values.includes(value));
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
