import { describe, expect, test } from 'vitest';
import {
  cgiSpelling,
  headerClass,
  nominatedFields,
  nominatedRawFields,
} from '../../src/http/header-classes.ts';

describe('the class of a header field', () => {
  test.each([
    ['connection', 'hop-by-hop'],
    ['keep-alive', 'hop-by-hop'],
    ['te', 'hop-by-hop'],
    ['trailer', 'hop-by-hop'],
    ['transfer-encoding', 'hop-by-hop'],
    ['upgrade', 'hop-by-hop'],
    ['http2-settings', 'hop-by-hop'],
    ['proxy-authorization', 'hop-by-hop'],
    ['proxy-anything', 'hop-by-hop'],
    ['content-length', 'framing'],
    ['expect', 'framing'],
    ['sec-websocket-key', 'handshake'],
    ['sec-websocket-anything', 'handshake'],
    ['host', 'forwarding'],
    ['forwarded', 'forwarding'],
    ['x-forwarded-for', 'forwarding'],
    ['x-forwarded-anything', 'forwarding'],
    ['x-forwarded', 'forwarding'],
    ['x-real-ip', 'identity'],
    ['true-client-ip', 'identity'],
    ['cf-connecting-ip', 'identity'],
    ['x-original-url', 'identity'],
    ['x-rewrite-url', 'identity'],
    ['x-ssl-client-verify', 'identity'],
    ['client-cert', 'identity'],
    ['x-http-method-override', undefined],
    ['x-requested-with', undefined],
    ['x-forwardedness', undefined],
    ['x-request-id', 'forwarding'],
    ['content-type', undefined],
    ['proxy', undefined],
    ['x-proxy-authorization', undefined],
    ['constructor', undefined],
    ['__proto__', undefined],
    ['', undefined],
  ])('%s: %s', (name, expected) => {
    expect(headerClass(name)).toBe(expected);
  });
});

describe('the fields that Connection nominates', () => {
  test.each<[string, [string, string][], string[]]>([
    ['none', [['X-A', 'x-b']], []],
    ['one', [['Connection', 'X-A']], ['x-a']],
    ['several, however they are spaced', [['CONNECTION', ' X-A ,\tx-b']], ['x-a', 'x-b']],
    [
      'those of several fields',
      [
        ['Connection', 'x-a'],
        ['connection', 'X-B'],
      ],
      ['x-a', 'x-b'],
    ],
    ['in CGI spelling', [['Connection', 'x_a']], ['x-a']],
    ['no end-to-end ones where it says only what it nearly always says', [['Connection', 'Keep-Alive']], []],
    ['not what a field of a longer name says', [['Connection-X', 'x-a']], []],
    ['not what a field of an equally long name says', [['Connectiom', 'x-a']], []],
  ])('%s', (_name, fields, expected) => {
    expect([...nominatedFields(fields)]).toEqual(expected);
    expect([...nominatedRawFields(fields.flat())]).toEqual(expected);
  });
});

test('a name with underscores is spelled with hyphens, every one of them', () => {
  expect(cgiSpelling('x_user_id')).toBe('x-user-id');
  expect(cgiSpelling('x-user')).toBe('x-user');
});
