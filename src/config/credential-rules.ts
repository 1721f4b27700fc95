import { cgiSpelling, headerClass } from '../http/header-classes.ts';
import { type CredentialConfig, placeOf } from './credentials.ts';
import { POLL_HEADERS } from './poll/index.ts';
import type { UrlTarget } from './pool.ts';
import type { HeaderChanges } from './rewrite.ts';
import { upgradesTo } from './upstream-kinds.ts';

/** What the shape of one credential alone cannot say: places that are somebody else's, and entries that are never taken. */

interface UpstreamShape {
  readonly credentials?: readonly CredentialConfig[] | undefined;
  readonly headers?: HeaderChanges | undefined;
  readonly websocket?: readonly UrlTarget[] | undefined;
  readonly http?: readonly UrlTarget[] | undefined;
  readonly poll?: object | undefined;
  readonly post?: object | undefined;
}

interface TokenShape {
  readonly token: readonly { readonly from: string; readonly name: string }[];
  readonly forward: Readonly<Record<string, string>>;
  readonly forwardToken: boolean;
}

type Complain = (path: PropertyKey[], message: string) => void;

/** Reports below the route. */
export function credentialRules(
  { upstream, auth }: { readonly upstream: UpstreamShape; readonly auth: 'none' | TokenShape },
  complain: Complain,
): void {
  const { credentials = [] } = upstream;
  // Where a part of them is wrong they are still as they were written.
  if (!Array.isArray(credentials)) return;
  for (const index of credentials.keys()) {
    const base = ['upstream', 'credentials', ...(credentials.length > 1 ? [index] : [])];
    entryRules(index, { ...upstream, credentials }, auth, (path, message) =>
      complain([...base, ...path], message),
    );
  }
  tokenRules(credentials, auth, complain);
}

function entryRules(
  index: number,
  upstream: UpstreamShape & { readonly credentials: readonly CredentialConfig[] },
  auth: 'none' | TokenShape,
  complain: Complain,
): void {
  const credential = upstream.credentials[index] as CredentialConfig;
  const { place, name } = placeOf(credential);
  const reason = takenBecause(credential, upstream, auth);
  if (reason !== undefined) complain([place], reason);
  if (credential.when !== undefined && auth === 'none')
    complain(['when'], 'there are no claims on a route with auth: none');
  const before = upstream.credentials.slice(0, index).filter((other) => isSamePlace(other, credential));
  if (before.some(({ when }) => when === undefined))
    complain([place], `is never taken: an earlier entry for ${name} has no \`when\``);
}

function isSamePlace(one: CredentialConfig, other: CredentialConfig): boolean {
  const [a, b] = [placeOf(one), placeOf(other)];
  return a.place === b.place && cgiSpelling(a.name) === cgiSpelling(b.name);
}

/** Why a credential cannot stand in its place; undefined if it can. */
function takenBecause(
  { header, query, subprotocol }: CredentialConfig,
  upstream: UpstreamShape,
  auth: 'none' | TokenShape,
): string | undefined {
  if (header !== undefined) return headerTakenBecause(header, upstream, auth);
  if (query !== undefined)
    return hasParameter(upstream, query) ? 'a target’s own query has this parameter' : undefined;
  const kind = upgradesTo(upstream);
  if (subprotocol === undefined || kind === 'websocket' || kind === 'http') return undefined;
  return kind === undefined
    ? 'has no effect on a route that takes no upgrades'
    : `has no effect where WebSockets lead to ${kind}`;
}

function headerTakenBecause(
  header: string,
  { headers, poll, post }: UpstreamShape,
  auth: 'none' | TokenShape,
): string | undefined {
  const name = cgiSpelling(header);
  const isIn = (names: readonly string[]) => names.map(cgiSpelling).includes(name);
  const kind = headerClass(name);
  if (kind !== undefined && kind !== 'identity')
    return 'this header is set by the gateway and cannot carry a credential';
  if ((poll ?? post) !== undefined && isIn(POLL_HEADERS))
    return 'the gateway itself says this header in polls and posts';
  if (auth !== 'none' && isIn(Object.keys(auth.forward)))
    return 'this header carries a claim, by auth.forward';
  const { set = {}, remove = [] } = headers ?? {};
  return isIn([...Object.keys(set), ...remove])
    ? 'this header is changed by upstream.headers, too'
    : undefined;
}

/** Nobody could say which of the two the service takes. */
function hasParameter({ websocket = [], http = [] }: UpstreamShape, name: string): boolean {
  return [...websocket, ...http].some(({ url }) =>
    new URLSearchParams(url.split('?').slice(1).join('?')).has(name),
  );
}

/** A token that is to be passed on cannot stand where a credential does. */
function tokenRules(
  credentials: readonly CredentialConfig[],
  auth: 'none' | TokenShape,
  complain: Complain,
): void {
  if (auth === 'none' || !auth.forwardToken) return;
  const taken = credentials.find((credential) => auth.token.some((source) => isAt(source, credential)));
  if (taken === undefined) return;
  const { place, name } = placeOf(taken);
  complain(
    ['auth', 'forwardToken'],
    `the token may stand in the ${place} ${name}, where upstream.credentials puts its own in its place`,
  );
}

function isAt({ from, name }: TokenShape['token'][number], credential: CredentialConfig): boolean {
  const own = placeOf(credential);
  if (from === 'header' || from === 'basic')
    return own.place === 'header' && cgiSpelling(own.name) === cgiSpelling(name || 'authorization');
  if (from === 'cookie') return own.place === 'header' && own.name === 'cookie';
  // It is never passed on.
  if (from === 'ticket') return false;
  if (from === 'query') return own.place === 'query' && own.name === name;
  return own.place === 'subprotocol' && name.startsWith(own.name);
}
