import { headerClass } from '../http/header-classes.ts';

/** What the shape of `auth` alone cannot say. */

interface External {
  readonly forward: readonly string[];
}

interface AuthShape {
  readonly token: readonly { readonly from: string }[];
  readonly external?: External | undefined;
}

type Complain = (path: PropertyKey[], message: string) => void;

/** Whether clients are known by cookies, which browsers add to any page's requests (CWE-1385): only an origin check stops those. */
export function usesCookies({ token, external }: AuthShape): boolean {
  return token.some(({ from }) => from === 'cookie') || (external?.forward.includes('cookie') ?? false);
}

/**
 * What another service is told is end-to-end, and none of what the gateway says itself; a cookie only of known pages.
 * Reports within the route.
 */
export function externalRules(
  { external }: AuthShape,
  origins: readonly string[] | undefined,
  complain: Complain,
): void {
  if (external === undefined) return;
  if (external.forward.includes('cookie') && origins === undefined)
    complain(['origins'], 'is required on a route whose auth.external asks about cookies');
  for (const [index, name] of external.forward.entries()) {
    const fault = faultOf(name);
    if (fault !== undefined) complain(['auth', 'external', 'forward', index], fault);
  }
}

function faultOf(name: string): string | undefined {
  // A client may bring its token in it.
  if (name === 'sec-websocket-protocol') return undefined;
  const kind = headerClass(name);
  if (name === 'x-original-method' || kind === 'forwarding' || kind === 'identity')
    return 'the gateway says this itself: a client could say what it likes in it';
  return kind === undefined ? undefined : 'this header speaks of one connection only and cannot be forwarded';
}
