import { describe, expect, test } from 'vitest';
import { createSignIn } from '../../src/admission/login.ts';
import { GatewayError } from '../../src/errors.ts';
import type { GatewayRequest } from '../../src/http/request.ts';
import { plainOf, routeConfig, upgradeOf } from '../support/handshakes.ts';

const MISSING = new GatewayError('TOKEN_MISSING', { headers: { 'www-authenticate': 'Bearer' } });
const PAGE = { headers: [['Accept', 'text/html,application/xhtml+xml,*/*;q=0.8']] } as const;
const upstream = { http: 'http://127.0.0.1:1' };

function told(
  request: Partial<GatewayRequest>,
  { login = '/login?to={return}', path = '/*', host = undefined as string | undefined } = {},
  error = MISSING,
): GatewayError {
  const auth = { issuer: 'main', token: ['header', 'query:t', 'ticket', 'ticket:u'] };
  const config = routeConfig({ login, match: { path, host }, auth, upstream });
  return createSignIn(config)(plainOf({ ...PAGE, path: '/a/b', query: 'x=1', ...request }), error);
}

const location = (error: GatewayError) => error.headers.location;

describe('a browser that opens a page', () => {
  test('is sent to the login, and the code stays known', () => {
    const error = told({});
    expect([error.status, error.code]).toEqual([302, 'TOKEN_MISSING']);
    expect(location(error)).toBe('/login?to=%2Fa%2Fb%3Fx%3D1');
    expect(error.headers['www-authenticate']).toBeUndefined();
    expect(error.headers.vary).toContain('Accept');
  });

  test.each(['TOKEN_INVALID', 'TOKEN_EXPIRED'] as const)('is sent there for %s, too', (code) => {
    expect(told({}, {}, new GatewayError(code)).status).toBe(302);
  });

  test('leaves its token behind', () => {
    expect(location(told({ query: 'ticket=sp&x=1&u=sp' }))).toBe('/login?to=%2Fa%2Fb%3Fx%3D1');
    expect(location(told({ query: 't=a.b.c&x=1' }))).toBe('/login?to=%2Fa%2Fb%3Fx%3D1');
    expect(location(told({ query: '%74=a.b.c' }))).toBe('/login?to=%2Fa%2Fb');
  });

  test('is sent back to a whole address from another host, if the route names its own', () => {
    const login = 'https://id.example.com/in?to={return}';
    const where = { clientAuthority: 'app.example.com:8443', secure: true };
    expect(location(told(where, { login, host: 'app.example.com' }))).toBe(
      'https://id.example.com/in?to=https%3A%2F%2Fapp.example.com%3A8443%2Fa%2Fb%3Fx%3D1',
    );
  });

  test('is told of no address on a host that nobody has named', () => {
    const login = 'https://id.example.com/in?to={return}';
    const where = { clientAuthority: 'evil.example', secure: true };
    expect(location(told(where, { login }))).toBe('https://id.example.com/in?to=');
  });

  test.each(['//evil.example/x', '///evil.example', '/\\evil.example'])('is not sent back to %s', (path) => {
    expect(location(told({ path, query: undefined }))).toBe('/login?to=');
  });

  test('is told of no other host that a proxy says it asked for', () => {
    const login = 'https://id.example.com/in?to={return}';
    const where = { clientAuthority: 'evil.example', host: 'app.example.com', secure: true };
    expect(location(told(where, { login, host: 'app.example.com' }))).toBe('https://id.example.com/in?to=');
    expect(
      location(told({ ...where, clientAuthority: 'a.example.com' }, { login, host: '*.example.com' })),
    ).toBe('https://id.example.com/in?to=https%3A%2F%2Fa.example.com%2Fa%2Fb%3Fx%3D1');
  });

  test('is told of it where the login is on the same host', () => {
    const login = 'https://app.example.com/in?to={return}';
    const where = { clientAuthority: 'app.example.com', secure: true };
    expect(location(told(where, { login }))).toBe(
      'https://app.example.com/in?to=https%3A%2F%2Fapp.example.com%2Fa%2Fb%3Fx%3D1',
    );
  });
});

describe('the refusal stays as it is for', () => {
  test.each<[string, Partial<GatewayRequest>]>([
    ['a script', { headers: [['Accept', '*/*']] }],
    ['whoever says nothing', { headers: [] }],
    ['fetch, whatever it accepts', { headers: [...PAGE.headers, ['Sec-Fetch-Mode', 'cors']] }],
    ['a form that was sent', { method: 'POST' }],
    ['the login itself', { path: '/login' }],
  ])('%s', (_, request) => expect(told(request)).toBe(MISSING));

  test('an upgrade', () => {
    const signIn = createSignIn(routeConfig({ login: '/in', auth: { issuer: 'main' }, upstream }));
    expect(signIn(upgradeOf(PAGE), MISSING)).toBe(MISSING);
  });

  test('whom a token does not help', () => {
    const forbidden = new GatewayError('FORBIDDEN');
    expect(told({}, {}, forbidden)).toBe(forbidden);
  });

  test('the login itself on its own host', () => {
    const login = 'https://app.example.com/in';
    expect(told({ path: '/in', clientAuthority: 'app.example.com' }, { login })).toBe(MISSING);
  });
});
