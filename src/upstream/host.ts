import type { UpstreamConfig } from '../config/schema.ts';
import type { GatewayRequest } from '../http/request.ts';
import { hostPort, type Target } from './target.ts';

/** By which name a service is asked: its Host field. */
export type HostOf = (request: Pick<GatewayRequest, 'authority'>, target: Target) => string;

/** Compiles the `host` of an upstream; absent, it is what the client sent. */
export function compileHost(host: UpstreamConfig['host'] = 'client'): HostOf {
  if (host === 'client') return ({ authority }) => authority;
  if (host === 'upstream') return (_request, target) => authorityOf(target);
  return () => host;
}

/** The target's own `host[:port]`, as its URL has it: the default port left out (RFC 9110 §7.2). */
export function authorityOf({ host, port, secure }: Target): string {
  const full = hostPort(host, port);
  return port === (secure ? 443 : 80) ? full.slice(0, full.lastIndexOf(':')) : full;
}
