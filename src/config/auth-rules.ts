import { headerClass } from '../http/header-classes.ts';

/** What the shape of `auth` alone cannot say. */

interface External {
  readonly forward: readonly string[];
}

type Complain = (path: PropertyKey[], message: string) => void;

/** What another service is told is end-to-end, and none of what the gateway says itself. Reports within `auth`. */
export function externalRules({ external }: { external?: External | undefined }, complain: Complain): void {
  for (const [index, name] of (external?.forward ?? []).entries()) {
    const fault = faultOf(name);
    if (fault !== undefined) complain(['external', 'forward', index], fault);
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
