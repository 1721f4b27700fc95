import { type RouteConfig, schema } from '../../src/config/schema.ts';

/** The route `site` to the upstream at `http`, with `changes` applied; `main` is an issuer it may name. */
export function httpRoute(http: string, changes: Record<string, unknown> = {}): RouteConfig {
  const route = {
    name: 'site',
    match: { path: '/*' },
    auth: 'none',
    ...changes,
    upstream: { http, ...(changes.upstream ?? {}) },
  };
  return schema.parse({
    listeners: [{ port: 0 }],
    issuers: { main: { issuer: 'i', audience: 'a', algorithms: ['HS256'], secret: 's'.repeat(32) } },
    routes: [route],
  }).routes[0] as RouteConfig;
}
