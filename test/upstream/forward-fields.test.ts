import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readFields } from '../../src/http/fields.ts';
import { clientOf } from '../../src/http/forwarded.ts';
import type { HeaderField } from '../../src/http/request.ts';
import { compileRequestFields } from '../../src/upstream/forward-fields.ts';
import { plainOf, routeConfig, valuesOf } from '../support/handshakes.ts';

const FORWARDED = 5;

/** What a service with these claims gets of a request. */
function fieldsOf(
  given: Parameters<typeof plainOf>[0],
  forward: Readonly<Record<string, string>> = {},
  claims: Readonly<Record<string, unknown>> = {},
) {
  return compileRequestFields(routeConfig({ auth: { issuer: 'main', forward } }), 'http')(
    plainOf(given),
    claims,
  );
}

/** What is left of a stranger's own fields. */
function endToEnd(headers: readonly HeaderField[], identity: readonly string[]) {
  const forward = Object.fromEntries(identity.map((name) => [name, 'claim']));
  return fieldsOf({ headers }, forward).slice(0, -FORWARDED);
}

function claimFields(forward: Readonly<Record<string, string>>, claims: Readonly<Record<string, unknown>>) {
  return fieldsOf({}, forward, claims).slice(0, -FORWARDED);
}

function forwardedFields(request: ReturnType<typeof plainOf>) {
  return fieldsOf(request).slice(-FORWARDED);
}

describe('the client’s own fields', () => {
  test.each([
    'Connection',
    'Keep-Alive',
    'Proxy-Authorization',
    'Proxy-Connection',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'HTTP2-Settings',
    'Content-Length',
    'Expect',
    'Host',
    'Sec-WebSocket-Key',
    'Sec-WebSocket-Version',
    'Sec-WebSocket-Protocol',
    'Sec-WebSocket-Extensions',
    'X-Forwarded-For',
    'X-Forwarded-Proto',
    'X-Forwarded-Whatever',
    'x_forwarded_for',
    'Forwarded',
    'X-Real-IP',
    'True-Client-IP',
    'CF-Connecting-IP',
    'Fastly-Client-IP',
    'X-Original-URL',
    'X-Rewrite-URL',
    'x_original_url',
    'X-SSL-Client-Verify',
    'X-Request-Id',
    'X-User',
    'x_user',
    'X-USER',
  ])('never include %s', (name) => {
    expect(endToEnd([[name, 'x']], ['x-user'])).toEqual([]);
  });

  test('are otherwise kept, in order and as sent', () => {
    const headers: HeaderField[] = [
      ['Cookie', 'a=b;c'],
      ['ORIGIN', 'https://a'],
      ['X-Two', '1'],
      ['x-two', '2'],
      ['Authorization', 'Basic x'],
      ['Content-Type', 'text/plain'],
      ['X-Users', 'x'],
    ];
    expect(endToEnd(headers, ['x-user'])).toEqual(headers);
  });

  test('do not include what Connection nominates, in any case and over several fields', () => {
    const headers: HeaderField[] = [
      ['X-One', '1'],
      ['x-two', '2'],
      ['X-Three', '3'],
      ['Connection', 'Upgrade, X-ONE'],
      ['connection', ' x-two ,'],
    ];
    expect(endToEnd(headers, [])).toEqual([['X-Three', '3']]);
  });

  test.each([
    ['x-foo', 'x_foo'],
    ['x_foo', 'x-foo'],
    ['x_foo', 'X_Foo'],
  ])('nominated as %s do not include %s, which servers may take for the same', (option, name) => {
    expect(
      endToEnd(
        [
          [name, '1'],
          ['Connection', `Upgrade, ${option}`],
        ],
        [],
      ),
    ).toEqual([]);
  });
});

describe('claims in header fields', () => {
  test.each<[string, unknown, string | undefined]>([
    ['a string', 'alice', 'alice'],
    ['an empty string', '', ''],
    ['a number', 7, '7'],
    ['a boolean', false, 'false'],
    ['a list', ['a', 1, true], 'a,1,true'],
    ['a list with commas in it', ['a,b', 'c'], 'a%2Cb,c'],
    ['a comma', 'a,b', 'a,b'],
    ['letters beyond ASCII', 'José', 'Jos%C3%A9'],
    ['a character of two units', '🦊', '%F0%9F%A6%8A'],
    ['half a character', '\ud83e', '%EF%BF%BD'],
    ['a line break', 'a\r\nX-Admin: 1', 'a%0D%0AX-Admin: 1'],
    ['a NUL', 'a\0b', 'a%00b'],
    ['a percent sign', '100%41', '100%2541'],
    ['spaces at the ends', ' a b ', '%20a b%20'],
    ['an object', { a: 1 }, undefined],
    ['a list with an object in it', ['a', {}], undefined],
    ['an empty list', [], undefined],
    ['null', null, undefined],
  ])('%s', (_, claim, value) => {
    const fields = claimFields({ 'x-claim': 'claim' }, { claim });
    expect(fields).toEqual(value === undefined ? [] : [['x-claim', value]]);
  });

  test('are left out where the token has none of that name', () => {
    expect(claimFields({ 'x-a': 'constructor', 'x-b': '__proto__', 'x-c': 'c' }, {})).toEqual([]);
  });

  test('read back as what they were, and never break a field', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (claim) => {
        const value = claimFields({ x: 'claim' }, { claim })[0]?.[1] as string;
        expect(value).toMatch(/^[ -~]*$/);
        expect(value.trim()).toBe(value);
        expect(decodeURIComponent(value)).toBe(claim);
      }),
    );
  });

  test('in lists read back as what they were', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), (claim) => {
        const value = claimFields({ x: 'claim' }, { claim })[0]?.[1] as string;
        expect(value.split(',').map(decodeURIComponent)).toEqual(claim);
      }),
    );
  });
});

describe('what the gateway says about a request', () => {
  test('of a client that came straight to it', () => {
    expect(forwardedFields(plainOf())).toEqual([
      ['x-forwarded-for', '192.0.2.1'],
      ['x-forwarded-proto', 'https'],
      ['x-forwarded-host', 'app.example.com'],
      ['forwarded', 'for=192.0.2.1;host=app.example.com;proto=https'],
      ['x-request-id', 'r1'],
    ]);
  });

  test('of a client behind a proxy, with IPv6 and a port quoted', () => {
    const request = plainOf({
      clientAddress: '2001:db8::1',
      peerAddress: '10.0.0.1',
      authority: 'app.example.com:8443',
      secure: false,
    });
    expect(forwardedFields(request)).toEqual([
      ['x-forwarded-for', '2001:db8::1, 10.0.0.1'],
      ['x-forwarded-proto', 'http'],
      ['x-forwarded-host', 'app.example.com:8443'],
      ['forwarded', 'for="[2001:db8::1]";host="app.example.com:8443";proto=http, for=10.0.0.1'],
      ['x-request-id', 'r1'],
    ]);
  });

  test('is what a second gateway behind it reads', () => {
    const addresses = fc.oneof(fc.ipV4(), fc.constantFrom('2001:db8::1', '::1'));
    fc.assert(
      fc.property(addresses, fc.boolean(), (clientAddress, secure) => {
        const fields = forwardedFields(plainOf({ clientAddress, peerAddress: '10.0.0.1', secure }));
        const peer = { address: '10.0.0.2', secure: !secure };
        const client = clientOf(peer, readFields(fields.flat()), (address) => address.startsWith('10.0.0.'));
        expect(client).toEqual({ address: clientAddress, secure, authority: 'app.example.com' });
        expect(valuesOf(fields, 'x-request-id')).toEqual(['r1']);
      }),
    );
  });
});

describe('what a trusted proxy says', () => {
  const trusted = { isPeerTrusted: true, peerAddress: '10.0.0.1' };

  test('passes as it sent it, but for what is made from it', () => {
    const headers: HeaderField[] = [
      ['X-Forwarded-For', '192.0.2.1'],
      ['X-Forwarded-Proto', 'wss'],
      ['X-Forwarded-Host', 'Site.test'],
      ['X-Forwarded-Port', '8443'],
      ['X-Forwarded-Prefix', '/front/'],
      ['x_forwarded_host', 'evil'],
      ['Forwarded', 'for=192.0.2.1'],
      ['X-Request-Id', 'theirs'],
      ['CF-Connecting-IP', '192.0.2.1'],
      ['X-Original-URL', '/x'],
      ['A', 'b'],
    ];
    expect(fieldsOf({ ...trusted, headers, id: 'theirs', clientAuthority: 'site.test' })).toEqual([
      ['X-Forwarded-Port', '8443'],
      ['CF-Connecting-IP', '192.0.2.1'],
      ['X-Original-URL', '/x'],
      ['A', 'b'],
      ['x-forwarded-for', '192.0.2.1, 10.0.0.1'],
      ['x-forwarded-proto', 'https'],
      ['x-forwarded-host', 'Site.test'],
      ['x-forwarded-prefix', '/front'],
      ['forwarded', 'for=192.0.2.1;host=site.test;proto=https, for=10.0.0.1'],
      ['x-request-id', 'theirs'],
    ]);
  });

  test('of the host is kept over several fields, and is the client’s own Host where it says nothing', () => {
    const headers: HeaderField[] = [
      ['X-Forwarded-Host', 'a'],
      ['x-forwarded-host', 'b'],
    ];
    expect(valuesOf(fieldsOf({ ...trusted, headers }), 'x-forwarded-host')).toEqual(['a, b']);
    expect(valuesOf(fieldsOf(trusted), 'x-forwarded-host')).toEqual(['app.example.com']);
    expect(valuesOf(fieldsOf(trusted), 'x-forwarded-prefix')).toEqual([]);
  });

  test('does not outdo a claim', () => {
    const headers: HeaderField[] = [['X-Forwarded-User', 'root']];
    const fields = compileRequestFields(
      routeConfig({ auth: { issuer: 'main', forward: { 'x-real-ip': 'ip' } } }),
      'http',
    )(plainOf({ ...trusted, headers: [...headers, ['X-Real-IP', '6.6.6.6']] }), { ip: '192.0.2.9' });
    expect(valuesOf(fields, 'x-real-ip')).toEqual(['192.0.2.9']);
    expect(valuesOf(fields, 'x-forwarded-user')).toEqual(['root']);
  });
});

describe('the route’s own word', () => {
  function changed(
    upstream: Readonly<Record<string, unknown>>,
    headers: HeaderField[],
    given = {},
    kind: 'http' | 'websocket' = 'http',
  ) {
    const match = { path: '/app/*' };
    const route = routeConfig({ match, upstream: { http: 'http://127.0.0.1:1', ...upstream } });
    return compileRequestFields(route, kind)(plainOf({ headers, ...given }), {});
  }

  test('is the last: what it sets replaces what came, what it removes does not pass', () => {
    const fields = changed(
      { headers: { set: { 'X-Env': 'prod', Authorization: 'Basic eDp5' }, remove: ['X-Drop'] } },
      [
        ['x-env', 'dev'],
        ['X_ENV', 'dev'],
        ['authorization', 'Bearer x'],
        ['x_drop', '1'],
        ['A', 'b'],
      ],
    );
    expect(fields[0]).toEqual(['A', 'b']);
    expect(fields.slice(1 + FORWARDED)).toEqual([
      ['x-env', 'prod'],
      ['authorization', 'Basic eDp5'],
    ]);
  });

  test('counts for what the gateway says, too', () => {
    const headers = { set: { 'x-forwarded-proto': 'https', 'X-Request-Id': '1' }, remove: ['forwarded'] };
    expect(changed({ headers }, [], { secure: false })).toEqual([
      ['x-forwarded-for', '192.0.2.1'],
      ['x-forwarded-host', 'app.example.com'],
      ['x-forwarded-proto', 'https'],
      ['x-request-id', '1'],
    ]);
  });

  test('of a prefix is told, behind that of a trusted proxy', () => {
    const prefixOf = (headers: HeaderField[], isPeerTrusted: boolean) =>
      valuesOf(changed({ stripPrefix: '/app' }, headers, { isPeerTrusted }), 'x-forwarded-prefix');
    expect(prefixOf([], false)).toEqual(['/app']);
    expect(prefixOf([['X-Forwarded-Prefix', '/front/']], false)).toEqual(['/app']);
    expect(prefixOf([['X-Forwarded-Prefix', '/front/']], true)).toEqual(['/front/app']);
    const beside = changed({ stripPrefix: '/app', websocket: 'ws://127.0.0.1:2' }, [], {}, 'websocket');
    expect(valuesOf(beside, 'x-forwarded-prefix')).toEqual([]);
  });
});
