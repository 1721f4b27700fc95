import type { AuthConfig } from './schema.ts';

/** What a route's `origins` and `login` may be, given how its clients prove who they are. */

type EntryAuth = Pick<AuthConfig, 'token'> & {
  readonly issuer: readonly string[];
} & {
  readonly [Proof in 'keys' | 'certificate' | 'external']?: AuthConfig[Proof] | undefined;
};

interface EntryShape {
  readonly origins?: readonly string[] | undefined;
  readonly login?: string | undefined;
  readonly auth: 'none' | EntryAuth;
}

type Complain = (path: PropertyKey[], message: string) => void;

/** Browsers say either of any page: one that somebody has put into a sandboxed frame says `null`. */
const ANYBODY: readonly string[] = ['*', 'null'];

export function entryRules({ origins, login, auth }: EntryShape, complain: Complain): void {
  if (auth === 'none' && login !== undefined)
    complain(['login'], 'has no effect on a route with auth: none: nobody is refused for want of a token');
  if (auth === 'none') return;
  // Any page on the web can make a browser send this site's cookies (CWE-1385): only an origin check stops it.
  if (origins === undefined && usesCookies(auth))
    complain(['origins'], 'is required on a route that takes tokens from cookies');
  const along = sentAlong(auth);
  if (along === undefined) return;
  for (const [index, text] of (origins ?? []).entries()) {
    if (ANYBODY.includes(text))
      complain(['origins', index], `lets any page act with the ${along} of its visitors: name the origins`);
  }
}

/** What lets a client in all by itself although browsers send it along with the requests of any page. */
function sentAlong(auth: EntryAuth): string | undefined {
  if (usesCookies(auth)) return 'cookies';
  const isAlone = auth.issuer.length === 0 && auth.keys === undefined;
  return auth.certificate !== undefined && isAlone ? 'certificates' : undefined;
}

/** Whether what lets a client in may be a cookie, which browsers send along with the requests of any page. */
export function usesCookies({ token, external }: Pick<EntryAuth, 'token' | 'external'>): boolean {
  return token.some(({ from }) => from === 'cookie') || (external?.forward.includes('cookie') ?? false);
}
