import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readFields } from '../../src/http/fields.ts';
import { clientOf } from '../../src/http/forwarded.ts';
import type { HeaderField } from '../../src/http/request.ts';
import { claimFields, endToEnd, forwardedFields } from '../../src/upstream/forward-fields.ts';
import { plainOf, valuesOf } from '../support/handshakes.ts';

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
        expect(client).toEqual({ address: clientAddress, secure });
        expect(valuesOf(fields, 'x-request-id')).toEqual(['r1']);
      }),
    );
  });
});
