import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../src/errors.ts';
import { readingsOf } from '../src/http/readings.ts';
import { createRouter, type Routable } from '../src/router.ts';
import { refusal } from './support/handshakes.ts';

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
    ['/rooms/{room}', '/rooms/caf%C3%A9%20%25', { room: 'caf%C3%A9%20%25' }],
    ['/{constructor}', '/x', { constructor: 'x' }],
    ['/rooms/{room}', '/rooms/caf%E9', { room: 'caf%E9' }],
    ['/rooms/{room}/*', '/rooms/a%2Fb/c', { room: 'a%2Fb' }],
    ['/grüße', '/gr%C3%BC%C3%9Fe', {}],
    ['/{host}:{port}', '/db.internal:5432', { host: 'db.internal', port: '5432' }],
    ['/{host}:{port}', '/[::1]:22', { host: '[::1]', port: '22' }],
    ['/{host}:{port}', '/%5B%3A%3A1%5d%3A22', { host: '%5B%3A%3A1%5d', port: '22' }],
    ['/{host}:{port}', '/a:b:', { host: 'a', port: 'b:' }],
    ['/{host}:{port}', '/caf%E9:1', { host: 'caf%E9', port: '1' }],
    ['/{host}:{port}', '/a%253A:1', { host: 'a%253A', port: '1' }],
    ['/{a}2{b}', '/x%25y%322z', { a: 'x%25y%32', b: 'z' }],
    ['/to/{a}->{b}/*', '/to/x-%3ey/z', { a: 'x', b: 'y' }],
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
    ['/{host}:{port}', '/db.internal'],
    ['/{host}:{port}', '/:22'],
    ['/{host}:{port}', '/host:'],
    ['/{host}:{port}', '/:'],
    ['/{host}:{port}', '/a%253A1'],
    ['/{a}2{b}', '/x%25y'],
    ['/{host}:{port}', '/a/b:1'],
  ])('%s does not take %s', (pattern, path) => {
    expect(routeFor(undefined, pattern)('any', path)).toBeUndefined();
  });
});

describe('the case of a path', () => {
  test.each([
    ['/admin/*', '/ADMIN/k'],
    ['/Admin', '/aDMIN'],
    ['/admin/{x}', '/%41dmin/K'],
    ['/GRÜSSE', '/gr%C3%BCsse'],
  ])('does not matter to %s that takes %s with ignoreCase', (path, asked) => {
    expect(routeOf({ path, ignoreCase: true })('any', asked)).toBeDefined();
    expect(routeOf({ path })('any', asked)).toBeUndefined();
  });

  test('stays as sent in what is captured', () => {
    const find = routeOf({ path: '/rooms/{room}', ignoreCase: true });
    expect(find('any', '/Rooms/Blue')?.captures).toEqual({ room: 'Blue' });
  });
});

/** The path of the route that takes a path, `refused` or `none`. */
function outcome(find: ReturnType<typeof routeOf>, path: string): string {
  try {
    return find('any', path)?.route.match.path ?? 'none';
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'BAD_REQUEST') return 'refused';
    throw error;
  }
}

describe('a path that servers read differently', () => {
  const open = routeOf({ path: '/*' });
  const guarded = routeOf({ path: '/admin/*' }, { path: '/*' });
  const few = routeOf({ path: '/api/*' }, { path: '/@{scope}/x' }, { path: '/login' });

  test.each([
    '/api/queues/%2F',
    '/@scope%2fname',
    '//',
    '/a//b',
    '/caf%E9',
    '/x;jsessionid=1',
    '/a\\b',
    '/a%5Cb',
    '/a%00b',
    '/admin%2Fkeys',
    '//admin/keys',
  ])('%s is taken where it leads to one route', (path) => {
    expect(outcome(open, path)).toBe('/*');
  });

  test.each([
    '/admin;x/keys',
    '//admin/keys',
    '//host/admin/keys',
    '/admin%2fkeys',
    '/admin%2Fkeys',
    '/x/..%2fadmin',
    '/admin\\keys',
    '/\\admin/keys',
    '/admin%5Ckeys',
    '/a%5c..',
    '/admin//keys/%2e%2e',
    '/;/admin/keys',
    '/%61dmin%3Bx/keys',
    '/admin%3bx/keys',
    '/admin/%00/../keys',
    '/x%00/admin/../keys',
    '/admin%c0%afkeys',
    '/host%2f/..%2fadmin',
  ])('%s is refused where it could lead around a guard', (path) => {
    expect(outcome(guarded, path)).toBe('refused');
  });

  test.each([
    ['/%61dmin/keys', '/admin/*'],
    ['/admin/keys;x', '/admin/*'],
    ['/admin//keys', '/admin/*'],
    ['/admin/a%2Fb', '/admin/*'],
    ['/admin/caf%E9', '/admin/*'],
    ['/x/admin%2Fkeys', '/*'],
    ['/x//admin', '/*'],
    ['/administrator;x/keys', '/*'],
    ['/ADMIN%2Fkeys', '/*'],
  ])('%s goes to %s where all agree', (path, route) => {
    expect(outcome(guarded, path)).toBe(route);
  });

  test.each([
    ['/api/x;y//z', '/api/*'],
    ['/api', 'none'],
    ['/nothing%2Fhere', 'none'],
    ['/api%2Fx', 'refused'],
    ['/login;jsessionid=1', 'refused'],
    ['/login//', 'none'],
  ])('%s: %s where not all paths lead anywhere', (path, expected) => {
    expect(outcome(few, path)).toBe(expected);
  });

  test('is refused with a word about why', () => {
    expect(refusal(() => guarded('any', '/admin%2fkeys')).detail).toBe(
      'the path could be read as leading to different routes',
    );
  });

  test('is refused for the kind of request only that it could lead astray', () => {
    const admin = { match: { path: '/admin/*' }, request: HANDLER };
    const rest = { match: { path: '/*' }, request: HANDLER, upgrade: HANDLER };
    const find = createRouter<Routable>([admin, rest]);
    expect(find('any', '/admin%2fkeys', 'upgrade').route).toBe(rest);
    expect(() => find('any', '/admin%2fkeys', 'request')).toThrow(GatewayError);
  });

  test.each(['/a%2Fb', '/a%5Cb', '/a\\b', '/a//b', '//', '/a//', '/a;b', '/a%3Bb', '/caf%E9', '/a%00'])(
    '%s is refused by a route of strict paths',
    (path) => {
      const find = createRouter([{ match: { path: '/*' }, paths: 'strict' as const, upgrade: HANDLER }]);
      expect(refusal(() => find('any', path, 'upgrade')).code).toBe('BAD_REQUEST');
    },
  );

  test.each(['/', '/a/', '/a/b/', '/caf%C3%A9', '/a%20b', '/%61', '/a"<>b', '/a%2525'])(
    '%s is taken by a route of strict paths',
    (path) => {
      const find = createRouter([{ match: { path: '/*' }, paths: 'strict' as const, upgrade: HANDLER }]);
      expect(find('any', path, 'upgrade').route).toBeDefined();
    },
  );
});

test('OPTIONS of the whole server goes where the root does', () => {
  const find = routeOf({ path: '/x' }, { path: '/' }, { path: '/*' });
  expect(find('any', '*')?.route.match.path).toBe('/');
});

describe('whatever a path is built of', () => {
  const plain = fc.constantFrom('admin', 'admin/', '/', '//', 'x', '%61dmin', 'ADMIN', '/x/');
  const slash = fc.constantFrom('%2f', '%2F', '\\', '%5c', '%c0%af');
  const other = fc.constantFrom(
    ';',
    ';a=b',
    '%3B',
    '%00',
    '%0a',
    '%E9',
    '%C3%A9',
    '.',
    '..',
    '%2e',
    '%25',
    '%',
    '"',
  );
  const piece = fc.oneof({ arbitrary: plain, weight: 2 }, slash, other);
  const paths = fc.array(piece, { minLength: 1, maxLength: 8 }).map((pieces) => `/${pieces.join('')}`);
  const matches = [
    { path: '/admin/*' },
    { path: '/admin' },
    { path: '/{x}/admin' },
    { path: '/x/*' },
    { path: '/*' },
  ];

  test('no reading of a path that is taken leads to another route', () => {
    const find = routeOf(...matches);
    fc.assert(
      fc.property(paths, (path) => {
        const taken = outcome(find, path);
        if (taken === 'refused') return;
        for (const segments of readingsOf(path)) expect(firstOf(matches, segments)).toBe(taken);
      }),
      { numRuns: 5_000 },
    );
  });

  test('what goes past a guard is behind it to no simple server', () => {
    const find = routeOf({ path: '/admin/*' }, { path: '/admin' }, { path: '/*' });
    fc.assert(
      fc.property(paths, (path) => {
        if (outcome(find, path) !== '/*') return;
        for (const served of SERVERS.map((read) => read(path))) expect(served).not.toMatch(/^\/admin(\/|$)/);
      }),
      { numRuns: 5_000 },
    );
  });
});

/** The first of the routes that takes decoded segments, told without the router. */
function firstOf(matches: readonly { path: string }[], segments: readonly string[]): string {
  const fits = ({ path }: { path: string }) => {
    const wanted = path.split('/').slice(1);
    const isOpen = wanted.at(-1) === '*';
    if (isOpen ? segments.length < wanted.length : segments.length !== wanted.length) return false;
    return wanted.every(
      (want, index) =>
        want === '*' || (want.startsWith('{') ? segments[index] !== '' : want === segments[index]),
    );
  };
  return matches.find(fits)?.path ?? 'none';
}

const unescaped = (path: string) =>
  path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
const withoutParameters = (path: string) => path.replace(/;[^/]*/g, '');
const merged = (path: string) => path.replace(/\/+/g, '/');

/** What servers of different habits serve for a path. */
const SERVERS: readonly ((path: string) => string)[] = [
  (path) => unescaped(path),
  (path) => merged(unescaped(path)),
  (path) => merged(unescaped(path).replaceAll('\\', '/')),
  (path) => merged(withoutParameters(unescaped(path))),
  (path) => merged(unescaped(withoutParameters(path))),
  (path) => merged(withoutParameters(unescaped(path).replaceAll('\\', '/'))),
  (path) => merged(unescaped(path).replace(/\0.*/s, '')),
  (path) => unescaped(URL.parse(path, 'http://gateway')?.pathname ?? '/'),
  (path) => merged(withoutParameters(unescaped(URL.parse(path, 'http://gateway')?.pathname ?? '/'))),
];

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
  const paths = fc
    .tuple(
      fc.array(fc.constantFrom('a', 'b', 'ab', 'c.d', '%41', 'a%2Cb'), { minLength: 1, maxLength: 5 }),
      fc.constantFrom('', '/'),
    )
    .map(([segments, end]) => `/${segments.join('/')}${end}`);
  fc.assert(
    fc.property(paths, paths, (pattern, path) => {
      const found = routeFor(undefined, decodeURIComponent(pattern))('any', path);
      expect(found !== undefined).toBe(decodeURIComponent(pattern) === decodeURIComponent(path));
    }),
  );
});
