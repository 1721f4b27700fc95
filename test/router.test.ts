import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRouter } from '../src/router.ts';

function routeFor(host: string | undefined, path: string) {
  return createRouter([{ match: { host, path } }]);
}

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
      const route = createRouter([{ match: { path: '/admin/*' } }, { match: { path: '/*' } }]);
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
  const routes = [
    { name: 'one', match: { host: 'a.example', path: '/x' } },
    { name: 'two', match: { path: '/x' } },
    { name: 'three', match: { path: '/*' } },
  ];
  const route = createRouter(routes);
  expect(route('a.example', '/x')?.route.name).toBe('one');
  expect(route('b.example', '/x')?.route.name).toBe('two');
  expect(route('b.example', '/y')?.route.name).toBe('three');
  expect(createRouter(routes.slice(0, 1))('b.example', '/x')).toBeUndefined();
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
