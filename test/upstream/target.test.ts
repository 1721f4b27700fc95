import { describe, expect, test } from 'vitest';
import { requestTarget, type Target, targetsOf, withoutPrefix } from '../../src/upstream/target.ts';

const PLAIN = {
  secure: false,
  weight: 1,
  path: undefined,
  query: undefined,
  base: undefined,
  socketPath: undefined,
};

/** A route as far as the path goes that its upstream is asked for. */
const rules = (path: string, stripPrefix?: string) => ({ match: { path }, upstream: { stripPrefix } });

function parse(url: string): Target {
  const [target] = targetsOf({ websocket: [{ url }] }, 'websocket');
  if (target === undefined) throw new Error('no target');
  return target;
}

test.each([
  [
    'ws://Chat.Internal',
    { name: 'chat.internal:80', host: 'chat.internal', port: 80, authority: 'chat.internal' },
  ],
  [
    'wss://10.0.0.7',
    { name: '10.0.0.7:443', host: '10.0.0.7', port: 443, authority: '10.0.0.7', secure: true },
  ],
  [
    'http://[2001:DB8::1]:8080',
    {
      name: '[2001:db8::1]:8080',
      host: '2001:db8::1',
      port: 8080,
      authority: '[2001:db8::1]:8080',
      base: { pathname: '/', search: '' },
    },
  ],
  [
    'wss://a:80/b/{c}?d=e',
    { name: 'a:80', host: 'a', port: 80, authority: 'a:80', secure: true, path: '/b/{c}', query: 'd=e' },
  ],
  [
    'ws://bücher.example',
    {
      name: 'xn--bcher-kva.example:80',
      host: 'xn--bcher-kva.example',
      port: 80,
      authority: 'xn--bcher-kva.example',
    },
  ],
])('%s is taken apart', (url, parts) => {
  expect(targetsOf({ websocket: [{ url }] }, 'websocket')).toEqual([{ ...PLAIN, ...parts }]);
});

test('an address of a TCP service is taken apart', () => {
  const tcp = [
    { host: 'Db.internal', port: 5432, weight: 3 },
    { host: '::1', port: 1 },
  ];
  expect(targetsOf({ tcp }, 'tcp')).toEqual([
    {
      ...PLAIN,
      name: 'db.internal:5432',
      host: 'db.internal',
      port: 5432,
      authority: 'db.internal:5432',
      weight: 3,
    },
    { ...PLAIN, name: '[::1]:1', host: '::1', port: 1, authority: '[::1]:1' },
  ]);
});

describe('a unix socket', () => {
  const SOCKET = { ...PLAIN, host: 'localhost', authority: 'localhost', socketPath: '/run/app.sock' };

  test.each([
    ['websocket', 'unix:/run/app.sock', {}],
    ['websocket', 'unix:/run/app.sock:/b/{c}?d=e', { path: '/b/{c}', query: 'd=e' }],
    ['http', 'unix:/run/app.sock', { base: { pathname: '/', search: '' } }],
    ['http', 'unix:/run/app.sock:/base?d=e', { base: { pathname: '/base', search: '?d=e' } }],
  ] as const)('of kind %s: %s is taken apart', (kind, url, parts) => {
    const expected = { ...SOCKET, name: 'unix:/run/app.sock', port: 80, ...parts };
    expect(targetsOf({ [kind]: [{ url }] }, kind)).toEqual([expected]);
  });

  test('of a TCP service is taken apart, and may stand twice in a list', () => {
    const socketPath = '/run/app.sock';
    expect(targetsOf({ tcp: [{ socketPath, weight: 2 }, { socketPath }] }, 'tcp')).toEqual([
      { ...SOCKET, name: 'unix:/run/app.sock', port: 0, weight: 2 },
      { ...SOCKET, name: 'unix:/run/app.sock#2', port: 0 },
    ]);
  });
});

test.each(['http', 'websocket', 'tcp', 'poll'] as const)(
  'an upstream that names no target of kind %s has none',
  (kind) => {
    expect(targetsOf({}, kind)).toEqual([]);
  },
);

test('no two targets of a list have one name', () => {
  const websocket = [{ url: 'ws://a/x' }, { url: 'ws://a/y' }, { url: 'ws://b' }, { url: 'wss://a:80/z' }];
  expect(targetsOf({ websocket }, 'websocket').map(({ name }) => name)).toEqual([
    'a:80',
    'a:80#2',
    'b:80',
    'a:80#3',
  ]);
});

describe('the WebSockets of an http service', () => {
  test.each([
    ['http://10.0.0.5:3000', { host: '10.0.0.5', port: 3000, secure: false }],
    ['http://app.internal', { host: 'app.internal', port: 80, secure: false }],
    ['https://app.internal', { host: 'app.internal', port: 443, secure: true }],
    ['https://[2001:db8::9]:8443/base', { host: '2001:db8::9', port: 8443, secure: true }],
  ])('of %s are at %j', (url, place) => {
    expect(parse(url)).toMatchObject(place);
  });

  test.each([
    ['http://a', '/live', undefined, '/live'],
    ['http://a', '/live', '', '/live?'],
    ['http://a/', '/live', 'x=1', '/live?x=1'],
    ['http://a/base', '/', undefined, '/base/'],
    ['http://a/base', '/', '', '/base/?'],
    ['http://a/base/', '/live/caf%E9', 'x=%2F', '/base/live/caf%E9?x=%2F'],
    ['http://a/base?key=k', '/live', undefined, '/base/live?key=k'],
    ['http://a/base?key=k', '/live', '', '/base/live?key=k'],
    ['http://a/base?key=k', '/live', 'x=1', '/base/live?key=k&x=1'],
  ])('of %s are asked for %s, %j as %s', (url, path, query, target) => {
    expect(requestTarget(parse(url), { path, query, captures: {} }, rules('/*'))).toBe(target);
  });

  test.each([
    ['http://a', '/app/x', '/x'],
    ['http://a', '/app', '/'],
    ['http://a', '/app/', '/'],
    ['http://a/base', '/app/x%2Fy;z//caf%E9', '/base/x%2Fy;z//caf%E9'],
    ['http://a/base/', '/app', '/base/'],
    ['http://a', '/%61pp/x', '/x'],
    ['http://a?key=k', '/app/x', '/x?key=k&q=1'],
  ])('of %s are asked for %s without its prefix as %s', (url, path, target) => {
    const query = url.includes('?') ? 'q=1' : undefined;
    const route = rules('/app/*', '/app');
    expect(requestTarget(parse(url), { path, query, captures: {} }, route)).toBe(target);
  });

  test.each([
    ['http://a', '*'],
    ['http://a/', '*'],
    ['http://a/base', '/base'],
    ['http://a/base/', '/base/'],
    ['http://a?key=k', '/?key=k'],
  ])('of %s are asked as a whole as %s', (url, target) => {
    expect(requestTarget(parse(url), { path: '*', query: undefined, captures: {} }, rules('/*'))).toBe(
      target,
    );
  });
});

function targetFor(
  url: string,
  captures: Record<string, string>,
  path = '/client/path',
  query?: string,
): string {
  return requestTarget(parse(url), { path, query, captures }, rules('/client/path'));
}

test.each([
  ['/app/x', '/app', '/x'],
  ['/app', '/app', '/'],
  ['/app/', '/app', '/'],
  ['/app//x', '/app', '//x'],
  ['/a/b/c/d', '/a/b', '/c/d'],
  ['/a/b', '/a/b', '/'],
])('%s without %s is %s', (path, prefix, rest) => {
  expect(withoutPrefix(path, prefix)).toBe(rest);
});

describe('a WebSocket target with a path of its own', () => {
  test.each([
    ['/w/*', 'ws://h/root', '/w/a/b', '/root/a/b'],
    ['/w/*', 'ws://h/root/', '/w/a/b', '/root/a/b'],
    ['/w/*', 'ws://h/root', '/w/', '/root/'],
    ['/w/*', 'ws://h/', '/w/a', '/a'],
    ['/*', 'ws://h/root', '/a/b/', '/root/a/b/'],
    ['/{team}/*', 'ws://h/t/{team}', '/red/a%2Fb;c//caf%E9', '/t/red/a%2Fb;c//caf%E9'],
    ['/w/*', 'ws://h/root?k=v', '/w/a', '/root/a?k=v&q=1'],
    ['/w/x', 'ws://h/root', '/w/x', '/root'],
    ['/w/{x}', 'ws://h/root', '/w/x', '/root'],
    ['/w/*', 'ws://h', '/w/a', '/w/a'],
  ])('behind %s, %s, is asked for %s as %s', (match, url, path, target) => {
    const query = url.includes('?') ? 'q=1' : undefined;
    const captures = { team: 'red' };
    expect(requestTarget(parse(url), { path, query, captures }, rules(match))).toBe(target);
  });
});

describe('a captured segment stays one segment of the path', () => {
  test.each([
    ['blue', 'blue'],
    ['a%20b', 'a%20b'],
    ['a%3Fadmin%3D1', 'a%3Fadmin%3D1'],
    ['a%2Fb', 'a%2Fb'],
    ['a\\b', 'a%5Cb'],
    ['100%25', '100%25'],
    ['%252F', '%252F'],
    ['caf%E9', 'caf%E9'],
    ['a&b=c;d', 'a%26b%3Dc%3Bd'],
    ['Jos%C3%A9', 'Jos%C3%A9'],
    ['$&', '%24%26'],
    ['{other}', '%7Bother%7D'],
  ])('%j as %s', (capture, written) => {
    const filled = targetFor('ws://a/rooms/{room}/ws', { room: capture });
    expect(filled).toBe(`/rooms/${written}/ws`);
    expect(new URL(filled, 'ws://a').pathname.split('/')).toHaveLength(4);
  });
});

describe('the path and query that are asked for', () => {
  test.each([
    ['the client’s own without a path in the URL', 'ws://a', '/client/path'],
    ['the URL’s, if it is no more than a slash', 'ws://a/', '/'],
    ['the URL’s', 'ws://a/root', '/root'],
    ['every placeholder filled', 'ws://a/{room}/{user}/{room}', '/r/u/r'],
    ['nothing for what was not captured', 'ws://a/x{nobody}/{room}', '/x/r'],
  ])('%s', (_name, url, expected) => {
    expect(targetFor(url, { room: 'r', user: 'u' })).toBe(expected);
  });

  test.each([
    ['ws://a', undefined, '/p'],
    ['ws://a', '', '/p?'],
    ['ws://a', 'x=1', '/p?x=1'],
    ['ws://a?k=v', undefined, '/p?k=v'],
    ['ws://a?k=v', '', '/p?k=v'],
    ['ws://a?', undefined, '/p'],
    ['ws://a/{room}', '', '/r?'],
    ['ws://a?k=v', 'x=1', '/p?k=v&x=1'],
    ['ws://a?', 'x=1', '/p?x=1'],
    ['ws://a/{room}?k=v', 'x={room}', '/r?k=v&x={room}'],
  ])('of %s for a client that asks "%s": %s', (url, query, expected) => {
    expect(targetFor(url, { room: 'r' }, '/p', query)).toBe(expected);
  });
});

test.each([
  ['ws://a.example', { host: 'a.example', port: 80, secure: false }],
  ['wss://a.example', { host: 'a.example', port: 443, secure: true }],
  ['WSS://a.example/x', { host: 'a.example', port: 443, secure: true }],
  ['ws://127.0.0.1:3000/x?y', { host: '127.0.0.1', port: 3000, secure: false }],
  ['wss://[2001:db8::1]:8443', { host: '2001:db8::1', port: 8443, secure: true }],
  ['ws://[::1]/x', { host: '::1', port: 80, secure: false }],
])('%s leads to the right place', (url, expected) => {
  expect(parse(url)).toMatchObject(expected);
});
