import { z } from 'zod';
import { fixedPath } from './fields.ts';
import { logoutPath } from './logout.ts';
import { covers, type Match } from './patterns.ts';
import type { Finding } from './problem.ts';
import { endsWithToken, refreshPath } from './refresh.ts';
import type { Config } from './schema.ts';
import { takesTickets, ticketPath } from './tickets.ts';
import { servedKinds } from './upstream-kinds.ts';

/** The configuration of what the gateway answers itself on its public listeners. */

const DEFAULT_PREFIX = '/.sallyport';

export const endpoints = z.strictObject({
  prefix: fixedPath
    .prefault(DEFAULT_PREFIX)
    .describe('What the paths begin with under which the gateway itself answers'),
});

/** The paths under which the gateway answers with a configuration. */
export function endpointPaths(config: Config): string[] {
  const logouts = Object.values(config.issuers).flatMap((issuer) => logoutPath(config, issuer) ?? []);
  return [...new Set([...clientPaths(config), ...logouts])];
}

/** What their requests are counted by: their paths, and the prefix for what is none of them. */
export function countedPaths(config: Config): string[] {
  const paths = endpointPaths(config);
  return paths.length === 0 ? [] : [...paths, config.endpoints.prefix];
}

/** Those that clients ask. */
function clientPaths(config: Config): string[] {
  return [
    ...(config.routes.some(endsWithToken) ? [refreshPath(config)] : []),
    ...(config.routes.some(takesTickets) ? [ticketPath(config)] : []),
  ];
}

/** Warnings: places for logout tokens that take the place of another endpoint. */
export function displacedEndpoints(config: Config): Finding[] {
  const taken = clientPaths(config);
  return Object.entries(config.issuers).flatMap(([name, issuer]) => {
    const path = logoutPath(config, issuer);
    if (path === undefined || !taken.includes(path)) return [];
    const message = `takes ${path}, where clients of the gateway ask`;
    return [{ path: ['issuers', name, 'logout', 'path'], message, hint: 'choose another one' }];
  });
}

/**
 * Whether a route claims the path of an endpoint for itself: it is the same, or its own one begins with the prefix. One that has
 * it by `/*` or a name alone leaves it to the gateway.
 */
export function claims({ path, ignoreCase }: Match, endpoint: string, prefix: string): boolean {
  const [own, other, begin] = [path, endpoint, `${prefix}/`].map((text) =>
    ignoreCase ? text.toLowerCase() : text,
  ) as [string, string, string];
  return own === other || own.startsWith(begin);
}

/** Warnings: routes that take what the gateway would answer. */
export function shadowedEndpoints(config: Config): Finding[] {
  const { routes, endpoints } = config;
  const paths = endpointPaths(config);
  if (paths.length === 0 && endpoints.prefix !== DEFAULT_PREFIX)
    return [
      {
        path: ['endpoints'],
        message:
          'has no effect: no route has a token to refresh or takes tickets, and no issuer has `logout`',
        hint: 'remove it',
        atKey: true,
      },
    ];
  return paths.flatMap((path) =>
    routes.flatMap(({ match, upstream }, index) =>
      servedKinds(upstream).includes('request') &&
      claims(match, path, endpoints.prefix) &&
      covers(match, { ...match, path })
        ? [
            {
              path: ['routes', index, 'match', 'path'],
              message: `takes ${path}, which the gateway would answer itself`,
              hint: 'move one of them: this path, or endpoints.prefix',
            },
          ]
        : [],
    ),
  );
}
