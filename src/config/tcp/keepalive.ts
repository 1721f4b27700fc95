import { durationOrOff } from '../fields.ts';
import type { PoolShape, UrlTarget } from '../pool.ts';
import { readUnix } from '../unix.ts';
import { type AddressTarget, fixedTargets, isDynamic } from './targets.ts';

/** The configuration of TCP's own keepalive towards upstreams (RFC 9293 §3.8.4). */

/** What Linux takes (tcp(7), TCP_KEEPIDLE), in whole seconds. */
const LONGEST_S = 32_767;

/** The key of an upstream: milliseconds, Infinity for off. */
export const tcpKeepalive = durationOrOff
  .refine((ms) => ms === Infinity || (ms >= 1_000 && ms <= LONGEST_S * 1_000), {
    error: `expected 1s to ${LONGEST_S}s, or off`,
  })
  .optional()
  .describe(
    'How long a connection to a target may carry nothing before TCP asks whether its host is still there; it is given up ten seconds later; absent: 60s',
  );

/** A unix socket has no host that could vanish. */
export function tcpKeepaliveRules(
  upstream: PoolShape & { readonly keepalive?: number | undefined },
  complain: (path: PropertyKey[], message: string) => void,
): void {
  const { keepalive, websocket, http, tcp, poll, post } = upstream;
  const lists: (readonly (UrlTarget | AddressTarget)[] | undefined)[] = [
    websocket,
    http,
    fixedTargets(tcp),
    poll?.target,
    post?.target,
  ];
  const targets = lists.flatMap((list) => list ?? []);
  if (keepalive === undefined || isDynamic(tcp) || targets.length === 0 || !targets.every(isUnix)) return;
  complain(['keepalive'], 'has no effect: every target is a unix socket');
}

function isUnix(target: UrlTarget | AddressTarget): boolean {
  return 'url' in target ? readUnix(target.url) !== undefined : 'socketPath' in target;
}
