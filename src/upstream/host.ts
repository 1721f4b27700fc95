import type { UpstreamConfig } from '../config/schema.ts';
import type { GatewayRequest } from '../http/request.ts';
import type { Target } from './target.ts';

/** By which name a service is asked: its Host field. */
export type HostOf = (request: Pick<GatewayRequest, 'authority'>, target: Target) => string;

/** Compiles the `host` of an upstream; absent, it is what the client sent. */
export function compileHost(host: UpstreamConfig['host'] = 'client'): HostOf {
  if (host === 'client') return ({ authority }) => authority;
  if (host === 'upstream') return (_request, { authority }) => authority;
  return () => host;
}
