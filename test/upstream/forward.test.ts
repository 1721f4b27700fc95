import { describe, expect, test } from 'vitest';
import type { Credential } from '../../src/admission/grant.ts';
import type { HeaderField } from '../../src/http/request.ts';
import { compileForward } from '../../src/upstream/forward.ts';
import { grantOf, plainOf, routeConfig, upgradeOf, valuesOf } from '../support/handshakes.ts';

const auth = { issuer: 'main', token: ['header', 'cookie:session', 'query:access_token', 'subprotocol'] };
const route = compileForward(routeConfig({ auth, origins: ['https://a.example'] }), 'http');
const generous = compileForward(
  routeConfig({ auth: { ...auth, forwardToken: true }, origins: ['https://a.example'] }),
  'http',
);

const inHeader: Credential = { from: 'header', name: 'authorization' };
const inCookie: Credential = { from: 'cookie', name: 'session' };
const inQuery: Credential = { from: 'query', name: 'access_token' };
const inProtocols: Credential = { from: 'subprotocol', carriers: ['bearer', 'T.O.K'], answer: 'bearer' };

describe('the token', () => {
  const everywhere = upgradeOf({
    query: 'access_token=T.O.K&x=1',
    protocols: ['bearer', 'T.O.K', 'chat'],
    headers: [
      ['Authorization', 'Bearer T.O.K'],
      ['Cookie', 'session=T.O.K'],
      ['Sec-WebSocket-Protocol', 'bearer, T.O.K, chat'],
    ],
  });

  test('is taken out of every place it stood in', () => {
    const grant = grantOf({ credential: inHeader, copies: [inCookie, inQuery, inProtocols] });
    const request = route.admitted(everywhere, grant, {});
    const { grant: _, ...seen } = request;
    expect(JSON.stringify(seen)).not.toContain('T.O.K');
    expect(request).toMatchObject({ query: 'x=1', protocols: ['chat'] });
  });

  test.each<[string, Credential, object]>([
    ['header', inHeader, { headers: everywhere.headers.slice(1) }],
    ['query', inQuery, { query: 'x=1', headers: everywhere.headers }],
    ['subprotocol', inProtocols, { protocols: ['chat'], headers: everywhere.headers.slice(0, 2) }],
    ['cookie', inCookie, { headers: [everywhere.headers[0], everywhere.headers[2]] }],
  ])('in a %s is taken out of there only', (_, credential, changed) => {
    expect(route.withoutToken(everywhere, grantOf({ credential }))).toEqual({ ...everywhere, ...changed });
  });

  test('stays where the route forwards it', () => {
    const request = generous.admitted(everywhere, grantOf({ credential: inHeader, copies: [inQuery] }), {});
    expect(request).toMatchObject({ query: everywhere.query, protocols: everywhere.protocols });
    expect(valuesOf(request.upstreamHeaders, 'authorization')).toEqual(['Bearer T.O.K']);
  });

  test('of a route without auth is the upstream’s business', () => {
    const request = compileForward(routeConfig(), 'http').admitted(everywhere, grantOf(), {});
    expect(valuesOf(request.upstreamHeaders, 'authorization')).toEqual(['Bearer T.O.K']);
    expect(valuesOf(request.upstreamHeaders, 'cookie')).toEqual(['session=T.O.K']);
  });

  test.each([
    ['session=T', undefined],
    ['session=T; ', undefined],
    ['session', undefined],
    ['a=1; session=T; b="2; 3"', 'a=1; b="2; 3"'],
    ['session=T;a=1', 'a=1'],
    ['a=1;session=T', 'a=1'],
    ['a=1;  session = T ;session=U;b', 'a=1;b'],
    ['Session=T; sessions=U; a=session=T', 'Session=T; sessions=U; a=session=T'],
    ['a=1;  b=2 ;', 'a=1;  b=2 ;'],
  ])('leaves of the cookies %s: %s', (cookie, rest) => {
    const headers: HeaderField[] = [['Cookie', cookie]];
    const bare = route.withoutToken(plainOf({ headers }), grantOf({ credential: inCookie }));
    expect(bare.headers).toEqual(rest === undefined ? [] : [['Cookie', rest]]);
  });

  test.each([
    ['access_token=T', undefined],
    ['a=1&access_token=T&b=%32&c', 'a=1&b=%32&c'],
    ['access%5Ftoken=T&a', 'a'],
    ['access_token', undefined],
    ['access_token=T&access_token=U&&a', '&a'],
    ['?access_token=T', undefined],
    ['', ''],
    [undefined, undefined],
    ['Access_Token=T&access_tokens=T&a=access_token', 'Access_Token=T&access_tokens=T&a=access_token'],
    ['a=%zz&access_token=T', 'a=%zz'],
  ])('leaves of the query %s: "%s"', (query, rest) => {
    expect(route.withoutToken(plainOf({ query }), grantOf({ credential: inQuery })).query).toBe(rest);
  });
});

describe('the upstream’s header fields', () => {
  const forwarding = compileForward(
    routeConfig({
      auth: { ...auth, forward: { 'x-user': 'sub', 'x-roles': 'roles' } },
      origins: ['https://a.example'],
    }),
    'http',
  );
  const headers: HeaderField[] = [
    ['Host', 'app.example.com'],
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade, X-User, X-Forwarded-For, Host, X-Request-Id, X-Drop'],
    ['X-User', 'root'],
    ['x_user', 'root'],
    ['X-Roles', 'admin'],
    ['X-Drop', '1'],
    ['X-Forwarded-For', '6.6.6.6'],
    ['X-Keep', '1'],
  ];

  test('are the client’s own, then the claims, then where it comes from', () => {
    const grant = grantOf({ credential: inQuery, claims: { sub: 'alice' } });
    expect(forwarding.fields(plainOf({ headers }), grant)).toEqual([
      ['X-Keep', '1'],
      ['x-user', 'alice'],
      ['x-forwarded-for', '192.0.2.1'],
      ['x-forwarded-proto', 'https'],
      ['x-forwarded-host', 'app.example.com'],
      ['forwarded', 'for=192.0.2.1;host=app.example.com;proto=https'],
      ['x-request-id', 'r1'],
    ]);
  });

  test('are the same for an upgrade', () => {
    const grant = grantOf({ credential: inQuery, claims: { sub: 'alice', roles: ['a', 'b'] } });
    const { upstreamHeaders: ofUpgrade } = forwarding.admitted(upgradeOf({ headers }), grant, {});
    expect(ofUpgrade).toEqual(forwarding.fields(plainOf({ headers }), grant));
    expect(valuesOf(ofUpgrade, 'x-roles')).toEqual(['a,b']);
  });
});

test('an admitted request carries its grant, its captures and its handshake', () => {
  const grant = grantOf({ subject: 'alice' });
  const request = upgradeOf({ protocols: ['chat'], deflateOffer: 'permessage-deflate' });
  expect(route.admitted(request, grant, { room: '7' })).toMatchObject({
    ...request,
    grant,
    captures: { room: '7' },
  });
});
