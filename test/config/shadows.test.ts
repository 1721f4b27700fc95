import { describe, expect, test } from 'vitest';
import type { RouteConfig } from '../../src/config/schema.ts';
import { shadowedRoutes } from '../../src/config/shadows.ts';
import { routeConfig } from '../support/handshakes.ts';

type Match = RouteConfig['match'];

const UPSTREAMS = {
  upgrades: { websocket: 'ws://a' },
  requests: { http: 'http://a', upgrades: 'off' },
  both: { http: 'http://a' },
};

/** Routes in the configuration's order: name, match, what is served. */
function findingsOf(...routes: { name: string; match: Match; serves?: keyof typeof UPSTREAMS }[]) {
  return shadowedRoutes({
    routes: routes.map(({ serves = 'both', ...route }) =>
      routeConfig({ ...route, upstream: UPSTREAMS[serves] }),
    ),
  });
}

function shadowed(...matches: Match[]): number[] {
  const routes = matches.map((match, index) => ({ name: `r${index}`, match }));
  return findingsOf(...routes).map(({ path }) => Number(path[1]));
}

test.each([
  [{ path: '/*' }, { path: '/chat' }],
  [{ path: '/*' }, { path: '/*' }],
  [{ path: '/*' }, { host: 'a.example', path: '/' }],
  [{ path: '/chat' }, { path: '/chat' }],
  [{ path: '/chat/*' }, { path: '/chat/' }],
  [{ path: '/chat/*' }, { path: '/chat/{room}/x' }],
  [{ path: '/chat/*' }, { path: '/chat/a/*' }],
  [{ path: '/{a}/x' }, { path: '/{b}/x' }],
  [{ path: '/{a}/*' }, { path: '/b/*' }],
  [{ path: '/Chat/*', ignoreCase: true }, { path: '/chat/x' }],
  [
    { path: '/chat', ignoreCase: true },
    { path: '/CHAT', ignoreCase: true },
  ],
  [
    { host: '*.example', path: '/a' },
    { host: 'b.example', path: '/a' },
  ],
  [
    { host: '*.example', path: '/a' },
    { host: '*.example', path: '/a' },
  ],
] as [Match, Match][])('%j leaves nothing for %j', (earlier, later) =>
  expect(shadowed(earlier, later)).toEqual([1]),
);

test.each([
  [{ path: '/chat' }, { path: '/*' }],
  [{ path: '/chat/*' }, { path: '/chat' }],
  [{ path: '/chat/a/*' }, { path: '/chat/*' }],
  [{ path: '/chat/b' }, { path: '/chat/{room}' }],
  [{ path: '/{a}' }, { path: '/' }],
  [{ path: '/{a}/*' }, { path: '/*' }],
  [{ path: '/{a}/*' }, { path: '/b' }],
  [{ path: '/{a}' }, { path: '/x/*' }],
  [{ path: '/a' }, { path: '/A' }],
  [{ path: '/a' }, { path: '/a', ignoreCase: true }],
  [{ host: 'a.example', path: '/' }, { path: '/' }],
  [
    { host: 'a.example', path: '/' },
    { host: 'b.example', path: '/' },
  ],
  [
    { host: '*.example', path: '/' },
    { host: 'b.c.example', path: '/' },
  ],
  [
    { host: '*.example', path: '/' },
    { host: 'example', path: '/' },
  ],
  [
    { host: 'a.example', path: '/' },
    { host: '*.example', path: '/' },
  ],
] as [Match, Match][])('%j leaves something for %j', (earlier, later) =>
  expect(shadowed(earlier, later)).toEqual([]),
);

test('names the route to move', () => {
  expect(
    findingsOf({ name: 'all', match: { path: '/*' } }, { name: 'chat', match: { path: '/chat' } }),
  ).toMatchObject([
    { message: 'never matches: route all comes first and takes all of it', hint: 'move chat above all' },
  ]);
});

describe('a route is shadowed only by what serves its kinds', () => {
  const match = { path: '/x' };
  test.each([
    ['upgrades', 'requests', false],
    ['requests', 'upgrades', false],
    ['upgrades', 'both', false],
    ['requests', 'both', false],
    ['both', 'upgrades', true],
    ['both', 'requests', true],
    ['upgrades', 'upgrades', true],
  ] as const)('%s before %s: %s', (first, second, isShadowed) => {
    const found = findingsOf({ name: 'a', match, serves: first }, { name: 'b', match, serves: second });
    expect(found.length > 0).toBe(isShadowed);
  });

  test('which may be two routes', () => {
    const found = findingsOf(
      { name: 'a', match, serves: 'upgrades' },
      { name: 'b', match: { path: '/*' }, serves: 'requests' },
      { name: 'c', match },
    );
    expect(found).toMatchObject([
      {
        message: 'never matches: routes a and b come first and take all of it',
        path: ['routes', 2, 'match'],
      },
    ]);
  });
});
