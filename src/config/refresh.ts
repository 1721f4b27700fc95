import type { Config, RouteConfig } from './schema.ts';
import { isDynamic } from './tcp/targets.ts';
import { targetFields } from './tcp/template.ts';
import { servedKinds } from './upstream-kinds.ts';

/** Where a gateway takes new tokens for sessions that are open. */
export function refreshPath({ endpoints }: Pick<Config, 'endpoints'>): string {
  return `${endpoints.prefix}/refresh`;
}

/** Whether the WebSockets of a route end with a token, and may go on with another one that leads to the same place. */
export function endsWithToken({ auth, upstream }: RouteConfig): boolean {
  if (auth === 'none' || auth.issuer.length === 0 || auth.onExpiry === 'ignore') return false;
  return servedKinds(upstream).includes('upgrade') && !isChosenByClaims(upstream);
}

/** Who gets another target with another token is not where it would be now. */
function isChosenByClaims({ tcp, allowClaim }: RouteConfig['upstream']): boolean {
  const named = isDynamic(tcp) ? targetFields(tcp.template) : [];
  return allowClaim !== undefined || named.some(({ from }) => from === 'claims');
}
