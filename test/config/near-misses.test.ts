import { describe, expect, test } from 'vitest';
import { nearMisses } from '../../src/config/near-misses.ts';
import { warningsOf } from '../support/config.ts';
import { routeConfig } from '../support/handshakes.ts';

const HTTP = { http: 'http://a' };
const AUTH = { issuer: 'main' };

/** Each warning as `guarded -> later: requests`. */
function misses(...routes: Readonly<Record<string, unknown>>[]): string[] {
  const compiled = routes.map((route, index) =>
    routeConfig({ name: String.fromCharCode(97 + index), upstream: HTTP, ...route }),
  );
  return nearMisses({ routes: compiled }).map(({ path, message }) => {
    const [, requests, onto] = /^requests for (.*) go to (\w+), which asks for less \(/.exec(message) ?? [];
    return `${compiled[path[1] as number]?.name} -> ${onto}: ${requests}`;
  });
}

const at = (path: string, more: object = {}) => ({ match: { path, ...more } });
const guard = (path: string, more: object = {}) => ({ ...at(path, more), auth: AUTH });
const OPEN = at('/*');

describe('is warned of where requests just miss a guarded route', () => {
  test.each([
    ['/admin/*', '/admin/* in another case and /admin'],
    ['/admin', '/admin in another case and /admin/'],
    ['/admin/', '/admin/ in another case and /admin'],
    ['/ADMIN/x', '/ADMIN/x in another case and /ADMIN/x/'],
    ['/7/*', '/7'],
    ['/{team}/*', '/{team}'],
    ['/{team}/Admin', '/{team}/Admin in another case and /{team}/Admin/'],
  ])('%s and come to an open one: %s', (path, requests) => {
    expect(misses(guard(path), OPEN)).toEqual([`a -> b: ${requests}`]);
  });

  test.each([
    [{ addresses: { allow: ['10.0.0.0/8'] } }],
    [{ origins: ['https://app.example'] }],
    [{ auth: { issuer: 'main', require: { scope: 'admin' } } }],
  ])('with %j', (asked) => {
    const later = 'auth' in asked ? { ...OPEN, auth: AUTH } : OPEN;
    expect(misses({ ...at('/admin/*'), ...asked }, later)).toEqual([
      'a -> b: /admin/* in another case and /admin',
    ]);
  });

  test('with those only that the later one takes', () => {
    expect(misses(guard('/admin/*'), at('/admin'))).toEqual(['a -> b: /admin']);
    expect(misses(guard('/admin/*'), at('/Admin/*'))).toEqual(['a -> b: /admin/* in another case']);
    expect(misses(guard('/admin/*'), at('/ADMIN/{x}'))).toEqual(['a -> b: /admin/* in another case']);
    expect(misses(guard('/admin/api'), at('/admin/*'))).toEqual([
      'a -> b: /admin/api in another case and /admin/api/',
    ]);
    expect(misses(guard('/admin/*'), at('/admin/{x}'))).toEqual([]);
    expect(misses(guard('/admin/*', { ignoreCase: true }), OPEN)).toEqual(['a -> b: /admin']);
  });

  test('once a pair of routes', () => {
    expect(misses(guard('/a/*'), at('/A/*'), OPEN)).toEqual([
      'a -> b: /a/* in another case',
      'a -> c: /a/* in another case and /a',
    ]);
  });

  test('for upgrades to a service that goes by the path', () => {
    const upstream = { websocket: 'ws://a' };
    expect(misses({ ...guard('/live'), upstream }, OPEN)).toEqual([
      'a -> b: /live in another case and /live/',
    ]);
  });
});

describe('is not warned of', () => {
  const all = guard('/admin/*', { ignoreCase: true });

  test.each([
    [
      'where the bare path and the case are guarded alike',
      [all, guard('/Admin', { ignoreCase: true }), OPEN],
    ],
    [
      'where an earlier open route takes them',
      [at('/Admin/*', { ignoreCase: true }), at('/admin'), guard('/admin/*'), OPEN],
    ],
    ['where nothing guards the first one', [at('/admin/*'), OPEN]],
    ['where the later one asks for as much', [guard('/admin/*'), guard('/*')]],
    ['where the open one comes first', [OPEN, guard('/admin/*')]],
    ['where the guarded one takes everything', [guard('/*'), at('/*', { host: 'a.example' })]],
    ['on another host', [guard('/admin/*', { host: 'a.example' }), at('/*', { host: 'b.example' })]],
    ['where the kinds differ', [guard('/admin/*'), { ...OPEN, upstream: { tcp: 'a:1' } }]],
    ['in front of a TCP service', [{ ...guard('/admin/*'), upstream: { tcp: 'a:1' } }, OPEN]],
  ])('%s', (_where, routes) => {
    expect(misses(...routes)).toEqual([]);
  });
});

test('says what many servers do, and what to write', () => {
  const routes = [guard('/admin/*', { host: 'a.example' }), OPEN].map((route, index) =>
    routeConfig({ name: `r${index}`, upstream: HTTP, ...route }),
  );
  expect(nearMisses({ routes })).toEqual([
    {
      path: ['routes', 0, 'match'],
      message:
        'requests for a.example/admin/* in another case and a.example/admin go to r1, which asks for less (auth), and many servers take them for a.example/admin/*',
      hint: 'write ignoreCase: true into this match, and add a route like this one for /admin',
      atKey: true,
    },
  ]);
});

test('is among the warnings of a configuration', () => {
  const text = `listeners: [{ host: 127.0.0.1, port: 1 }]
issuers: { main: { issuer: "https://id/", audience: a, algorithms: [ES256], jwks: "https://id/keys" } }
routes:
  - { name: admin, match: { path: /admin/* }, auth: { issuer: main }, upstream: { http: "http://127.0.0.1:2" } }
  - { name: open, match: { path: /* }, auth: none, upstream: { http: "http://127.0.0.1:2" } }`;
  expect(warningsOf(text)).toEqual([
    expect.stringMatching(/^routes\[0\].match: requests for .* go to open,/),
  ]);
});
