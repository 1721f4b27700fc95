import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRouter, type Routable } from '../src/router.ts';

/** What stands for a handler: the router only looks whether there is one. */
const HANDLER = {};

/** Finds among upgrade routes with these matches. */
function routeOf(...matches: Routable['match'][]) {
  const find = createRouter(matches.map((match) => ({ match, upgrade: HANDLER })));
  return (host: string, path: string) => {
    const found = find(host, path, 'upgrade');
    return found.route === undefined ? undefined : found;
  };
}

const routeFor = (host: string | undefined, path: string) => routeOf({ host, path });

describe('the path of a route', () => {
  test.each([
    ['/chat', '/chat', {}],
    ['/chat/', '/chat/', {}],
    ['/', '/', {}],
    ['/*', '/', {}],
    ['/*', '/a/b/c', {}],
    ['/chat/*', '/chat/', {}],
    ['/chat/*', '/chat/a/b', {}],
    ['/rooms/{room}', '/rooms/7', { room: '7' }],
    ['/rooms/{room}/*', '/rooms/7/live', { room: '7' }],
    ['/{a}/{b}', '/x/y', { a: 'x', b: 'y' }],
    ['/rooms/{room}', '/rooms/caf%C3%A9%20%25', { room: 'café %' }],
    ['/{constructor}', '/x', { constructor: 'x' }],
    ['/grüße', '/gr%C3%BC%C3%9Fe', {}],
  ])('%s takes %s', (pattern, path, captures) => {
    expect(routeFor(undefined, pattern)('any', path)?.captures).toEqual(captures);
  });

  test.each([
    ['/chat', '/chat/'],
    ['/chat', '/chat/x'],
    ['/chat', '/cha'],
    ['/chat', '/Chat'],
    ['/chat/', '/chat'],
    ['/chat/*', '/chat'],
    ['/chat/*', '/chatter/x'],
    ['/', '/x'],
    ['/rooms/{room}', '/rooms/'],
    ['/rooms/{room}', '/rooms/7/8'],
    ['/rooms/{room}/x', '/rooms//x'],
  ])('%s does not take %s', (pattern, path) => {
    expect(routeFor(undefined, pattern)('any', path)).toBeUndefined();
  });

  test.each(['/%61dmin/keys', '/admin;x=1/keys', '/admin;/keys', '/admin%3bx/keys', '/%61dmi%6e;a=b/keys'])(
    'guards %s like /admin/keys, as servers read it so',
    (path) => {
      const route = routeOf({ path: '/admin/*' }, { path: '/*' });
      expect(route('any', path)?.route.match.path).toBe('/admin/*');
    },
  );
});

describe('the host of a route', () => {
  test.each([
    [undefined, 'anything.example', true],
    ['app.example.com', 'app.example.com', true],
    ['app.example.com', 'example.com', false],
    ['app.example.com', 'app.example.com.evil.example', false],
    ['*.example.com', 'app.example.com', true],
    ['*.example.com', 'example.com', false],
    ['*.example.com', '.example.com', false],
    ['*.example.com', 'a.b.example.com', false],
    ['*.example.com', 'evilexample.com', false],
    ['[2001:db8::1]', '2001:db8::1', true],
    ['2001:db8::1', '2001:db8::1', true],
  ])('%s and %s: %s', (pattern, host, fits) => {
    expect(routeFor(pattern, '/*')(host, '/x') !== undefined).toBe(fits);
  });
});

test('the first route that fits wins', () => {
  const find = routeOf({ host: 'a.example', path: '/x' }, { path: '/x' }, { path: '/*' });
  expect(find('a.example', '/x')?.route.match).toEqual({ host: 'a.example', path: '/x' });
  expect(find('b.example', '/x')?.route.match).toEqual({ path: '/x' });
  expect(find('b.example', '/y')?.route.match).toEqual({ path: '/*' });
});

describe('the kind of a request', () => {
  const chat = { name: 'chat', match: { path: '/app/chat' }, upgrade: HANDLER };
  const pages = { name: 'pages', match: { path: '/app/*' }, request: HANDLER };
  const rest = { name: 'rest', match: { path: '/*' }, upgrade: HANDLER, request: HANDLER };

  test.each([
    ['/app/chat', 'upgrade', 'chat'],
    ['/app/chat', 'request', 'pages'],
    ['/app/x', 'upgrade', 'rest'],
    ['/app/x', 'request', 'pages'],
    ['/x', 'upgrade', 'rest'],
    ['/x', 'request', 'rest'],
  ] as const)('decides with the path: %s as %s goes to %s', (path, kind, name) => {
    const find = createRouter([chat, pages, rest] as { name: string; match: Routable['match'] }[]);
    expect(find('any', path, kind).route?.name).toBe(name);
  });

  test('names the route that would serve the other one where none serves it', () => {
    const find = createRouter<typeof chat | typeof pages>([chat, pages]);
    expect(find('any', '/app/x', 'upgrade')).toEqual({ other: pages });
    expect(createRouter([chat])('any', '/app/chat', 'request')).toEqual({ other: chat });
    expect(find('any', '/x', 'upgrade')).toEqual({ other: undefined });
    expect(find('any', '/x', 'request')).toEqual({ other: undefined });
  });
});

test('a route of literals takes exactly its own path', () => {
  const paths = fc.array(fc.constantFrom('a', 'b', 'ab', '', 'c.d', '%41', 'a%2Cb'), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(paths, paths, (pattern, path) => {
      const decoded = pattern.map(decodeURIComponent);
      const found = routeFor(undefined, `/${decoded.join('/')}`)('any', `/${path.join('/')}`);
      expect(found !== undefined).toBe(decoded.join('/') === path.map(decodeURIComponent).join('/'));
    }),
  );
});
