import { expect, test } from 'vitest';
import { causeText } from '../src/causes.ts';

const coded = (message: string, more: object, cause?: unknown) =>
  Object.assign(new Error(message, { cause }), more);

test.each<[string, unknown, string]>([
  [
    'an error and what caused it',
    coded('fetch failed', {}, coded('connect ECONNREFUSED ::1:9', { code: 'ECONNREFUSED' })),
    'fetch failed: connect ECONNREFUSED ::1:9',
  ],
  ['a code that its message does not have', coded('closed', { code: 'EPIPE' }), 'EPIPE: closed'],
  ['a code alone', coded('', { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
  ['a text', 'gone\n', 'gone'],
  ['no error at all', 7, 'number'],
  ['a line that ends', coded('it is so\n', {}), 'it is so'],
  [
    'OpenSSL, by its reason',
    coded('40AB:error:0A000410:SSL routines:ssl3_read_bytes:alert handshake failure:../x.c:1:\n', {
      code: 'ERR_SSL_ALERT_HANDSHAKE_FAILURE',
      reason: 'alert handshake failure',
    }),
    'ERR_SSL_ALERT_HANDSHAKE_FAILURE: alert handshake failure',
  ],
  [
    'a reason of anybody else’s, not at all',
    coded('the whole of it', { reason: 'half of it' }),
    'the whole of it',
  ],
  [
    'a TLS alert where HTTP was expected',
    coded('Parse Error', { code: 'HPE_INVALID_CONSTANT', rawPacket: Buffer.of(0x15, 0x03, 0x03) }),
    'HPE_INVALID_CONSTANT: it speaks TLS: write https://',
  ],
  [
    'anything else where HTTP was expected',
    coded('Parse Error', { code: 'HPE_INVALID_CONSTANT', rawPacket: Buffer.from('220 ') }),
    'HPE_INVALID_CONSTANT: Parse Error',
  ],
])('tells %s', (_what, thrown, text) => expect(causeText(thrown)).toBe(text));

test('of a chain without end five are told', () => {
  const error = new Error('again');
  error.cause = error;
  expect(causeText(error)).toBe(Array(5).fill('again').join(': '));
});
