import { expect, test } from 'vitest';
import type { RouteConfig } from '../../src/config/schema.ts';
import { shadowedRoutes } from '../../src/config/shadows.ts';

type Match = RouteConfig['match'];

function shadowed(...matches: Match[]): number[] {
  const routes = matches.map((match, index) => ({ name: `r${index}`, match }));
  return shadowedRoutes({ routes: routes as unknown as RouteConfig[] }).map(({ path }) => Number(path[1]));
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
  const routes = [
    { name: 'all', match: { path: '/*' } },
    { name: 'chat', match: { path: '/chat' } },
  ];
  expect(shadowedRoutes({ routes: routes as unknown as RouteConfig[] })).toMatchObject([
    { message: 'never matches: route all comes first and takes all of it', hint: 'move chat above all' },
  ]);
});
