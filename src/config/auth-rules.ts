import { cgiSpelling, headerClass } from '../http/header-classes.ts';

/** What the shape of `auth` alone cannot say. */

interface External {
  readonly forward: readonly string[];
  readonly subject?: string | undefined;
  readonly expires: string;
}

type Complain = (path: PropertyKey[], message: string) => void;

/** What another service is told is end-to-end, and none of what the gateway says itself. Reports within `auth`. */
export function externalRules({ external }: { external?: External | undefined }, complain: Complain): void {
  for (const [index, name] of (external?.forward ?? []).entries()) {
    const fault = faultOf(name);
    if (fault !== undefined) complain(['external', 'forward', index], fault);
  }
  for (const key of ['subject', 'expires'] as const)
    if (external !== undefined && isNeverClaim(external[key]))
      complain(
        ['external', key],
        'this header of an answer is never a claim: it speaks of one connection, or of the body, or is a cookie',
      );
}

function isNeverClaim(name: string | undefined): boolean {
  if (name === undefined) return false;
  const kind = headerClass(cgiSpelling(name));
  return name === 'set-cookie' || kind === 'hop-by-hop' || kind === 'framing' || kind === 'handshake';
}

interface ClaimUsers {
  readonly certificate?: object | undefined;
  readonly forward: Readonly<Record<string, string>>;
  readonly require: Readonly<Record<string, unknown>>;
}

/**
 * Where no certificate is asked for, a claim of that name is a token's own word. `conditions` are those of the upstream's
 * credentials. Reports below the route.
 */
export function certificateClaimRules(
  { certificate, forward, require }: ClaimUsers,
  conditions: readonly (object | undefined)[],
  complain: Complain,
): void {
  if (certificate !== undefined) return;
  const places: { path: PropertyKey[]; claim: string }[] = [
    ...Object.entries(forward).map(([header, claim]) => ({ path: ['auth', 'forward', header], claim })),
    ...Object.keys(require).map((claim) => ({ path: ['auth', 'require', claim], claim })),
    ...conditions.flatMap((when = {}) =>
      Object.keys(when).map((claim) => ({ path: ['upstream', 'credentials'], claim })),
    ),
  ];
  for (const { path, claim } of places.filter(({ claim }) => /^\/certificate(?:\/|$)/.test(claim)))
    complain(
      path,
      `there is no certificate on this route, and a token could claim ${claim}: add auth.certificate`,
    );
}

function faultOf(name: string): string | undefined {
  // A client may bring its token in it.
  if (name === 'sec-websocket-protocol') return undefined;
  const kind = headerClass(name);
  if (name === 'x-original-method' || kind === 'forwarding' || kind === 'identity')
    return 'the gateway says this itself: a client could say what it likes in it';
  return kind === undefined ? undefined : 'this header speaks of one connection only and cannot be forwarded';
}
