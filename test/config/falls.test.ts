import { describe, expect, test } from 'vitest';
import { unguardedFalls } from '../../src/config/falls.ts';
import { routeConfig } from '../support/handshakes.ts';

const WEBSOCKET = { websocket: 'ws://a' };
const PLAIN = { http: 'http://a', upgrades: 'off' };
const BOTH = { http: 'http://a' };
const AUTH = { issuer: 'main' };
const OWN = ['https://app.example'];

/** Each warning as `guarded -> later: requests (what is missing)`. */
function falls(...routes: Readonly<Record<string, unknown>>[]): string[] {
  const compiled = routes.map((route, index) =>
    routeConfig({ name: String.fromCharCode(97 + index), upstream: WEBSOCKET, ...route }),
  );
  return unguardedFalls({ routes: compiled }).map(({ path, message }) => {
    const [, requests, onto, missing] =
      /^(.*) fall past this route onto (\w+), which asks for less \((.*)\)$/.exec(message) ?? [];
    return `${compiled[path[1] as number]?.name} -> ${onto}: ${requests} (${missing})`;
  });
}

const at = (path: string, host?: string) => ({ match: { path, host } });
const OPEN_SITE = { ...at('/*'), upstream: PLAIN };

describe('is warned of where requests fall past a guarded route', () => {
  test.each([
    ['auth', { auth: AUTH }],
    ['addresses', { addresses: { allow: ['10.0.0.0/8'] } }],
    ['addresses', { addresses: { deny: ['203.0.113.0/24'] } }],
    ['origins', { origins: OWN }],
    ['auth, origins', { auth: AUTH, origins: OWN }],
  ])('onto one without %s', (missing, guard) => {
    expect(falls({ ...at('/app/*'), ...guard }, OPEN_SITE)).toEqual([
      `a -> b: plain requests for /app/* (${missing})`,
    ]);
  });

  test('for upgrades, too', () => {
    expect(falls({ ...at('/app/*'), auth: AUTH, upstream: PLAIN }, { ...at('/*'), upstream: BOTH })).toEqual([
      'a -> b: upgrades for /app/* (auth)',
    ]);
  });

  test('with the requests that both match', () => {
    expect(
      falls(
        { ...at('/{team}/x/*', '*.example'), auth: AUTH },
        { ...at('/red/*', 'a.example'), upstream: PLAIN },
        { ...at('/*'), upstream: PLAIN },
      ),
    ).toEqual([
      'a -> b: plain requests for a.example/red/x/* (auth)',
      'a -> c: plain requests for *.example/{team}/x/* (auth)',
    ]);
  });

  test('with those of a path in any case', () => {
    const match = { path: '/app/*', ignoreCase: true };
    expect(falls({ match, auth: AUTH }, { ...at('/APP/x'), upstream: PLAIN }, OPEN_SITE)).toEqual([
      'a -> b: plain requests for /APP/x (auth)',
      'a -> c: plain requests for /app/* (auth)',
    ]);
  });

  test.each([
    ['issuers', { issuer: 'main' }, { issuer: ['main', 'other'] }],
    ['a claim', { issuer: 'main', require: { scope: 'a' } }, { issuer: 'main' }],
    [
      'another value',
      { issuer: 'main', require: { scope: 'a' } },
      { issuer: 'main', require: { scope: 'b' } },
    ],
    [
      'one of two values',
      { issuer: 'main', require: { s: ['a', 'b'] } },
      { issuer: 'main', require: { s: 'b' } },
    ],
  ])('onto one whose tokens need less: %s', (_what, strict, loose) => {
    expect(falls({ ...at('/app'), auth: strict }, { ...OPEN_SITE, auth: loose })).toEqual([
      'a -> b: plain requests for /app (auth)',
    ]);
  });

  test.each([
    [{ allow: ['10.0.0.0/8'] }, { allow: ['10.0.0.0/7'] }],
    [{ allow: ['10.0.0.0/8'] }, { allow: ['10.0.0.0/8', '::1'] }],
    [{ deny: ['10.0.0.0/8'] }, { deny: ['10.1.0.0/16'] }],
    [{ deny: ['10.0.0.0/8'] }, { allow: ['10.0.0.0/8'] }],
  ])('onto one open to more addresses: %j, %j', (strict, loose) => {
    expect(falls({ ...at('/app'), addresses: strict }, { ...OPEN_SITE, addresses: loose })).toEqual([
      'a -> b: plain requests for /app (addresses)',
    ]);
  });

  test('onto one open to more origins', () => {
    const origins = [...OWN, 'https://other.example'];
    expect(falls({ ...at('/app'), origins: OWN }, { ...OPEN_SITE, origins })).toEqual([
      'a -> b: plain requests for /app (origins)',
    ]);
  });
});

describe('is not warned of', () => {
  const guarded = { ...at('/app/*'), auth: AUTH, addresses: { allow: ['10.0.0.0/8'] }, origins: OWN };

  test.each([
    ['where the guarded route serves both kinds', [{ ...guarded, upstream: BOTH }, OPEN_SITE]],
    ['where a bridge stands beside http', [{ ...guarded, upstream: { ...BOTH, ...WEBSOCKET } }, OPEN_SITE]],
    ['where no later route serves the kind', [guarded, { ...at('/*') }]],
    ['where the later route matches other requests', [guarded, { ...at('/app'), upstream: PLAIN }]],
    ['where the open route comes first', [OPEN_SITE, guarded]],
    ['where nothing guards the first one', [{ ...at('/app/*') }, OPEN_SITE]],
    ['where the later route is guarded alike', [guarded, { ...guarded, ...OPEN_SITE }]],
    [
      'where the later route asks for more',
      [
        guarded,
        {
          ...OPEN_SITE,
          auth: { issuer: 'main', require: { scope: 'a' } },
          addresses: { allow: ['10.1.0.0/16'] },
          origins: OWN,
        },
      ],
    ],
    [
      'where a route that is guarded alike takes them before',
      [guarded, { ...guarded, upstream: PLAIN }, OPEN_SITE],
    ],
    ['where an earlier route takes them all', [OPEN_SITE, guarded, { ...at('/*'), upstream: BOTH }]],
  ])('%s', (_where, routes) => {
    expect(falls(...routes)).toEqual([]);
  });
});
