import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/errors.ts';
import { isDeflateAnswer, parseDeflateOffer, parseProtocols } from '../../src/http/offers.ts';
import { refusal } from '../support/handshakes.ts';

describe('offered subprotocols', () => {
  test.each([
    [[], []],
    [['mqtt'], ['mqtt']],
    [
      ['bearer, a.b-c_d', ' v12.stomp\t'],
      ['bearer', 'a.b-c_d', 'v12.stomp'],
    ],
    [['chat, Chat'], ['chat', 'Chat']],
  ])('%j are %j', (values, protocols) => {
    expect(parseProtocols(values)).toEqual(protocols);
  });

  test.each([
    [['']],
    [['a,,b']],
    [['a,']],
    [['a b']],
    [['a;q=1']],
    [['a/b']],
    [['"a"']],
    [['a, b, a']],
    [['a', 'a']],
  ])('%j are refused', (values) => {
    expect(refusal(() => parseProtocols(values)).code).toBe('BAD_REQUEST');
  });
});

describe('the deflate offer', () => {
  test.each([
    [[], undefined],
    [['x-webkit-deflate-frame'], undefined],
    [['permessage-deflate'], 'permessage-deflate'],
    [['permessage-deflate; client_max_window_bits'], 'permessage-deflate; client_max_window_bits'],
    [
      [
        'foo; a=1, permessage-deflate;server_max_window_bits="10" ;client_no_context_takeover',
        'permessage-deflate',
      ],
      'permessage-deflate; server_max_window_bits=10; client_no_context_takeover, permessage-deflate',
    ],
    [['permessage-deflate; client_max_window_bits=8'], 'permessage-deflate; client_max_window_bits=8'],
    [['permessage-deflate; client_max_window_bits=15'], 'permessage-deflate; client_max_window_bits=15'],
  ])('of %j is %s', (values, offer) => {
    expect(parseDeflateOffer(values)).toBe(offer);
  });

  test.each([
    [''],
    [','],
    ['permessage-deflate;'],
    ['permessage-deflate=1'],
    ['permessage-deflate; unknown'],
    ['permessage-deflate; constructor'],
    ['permessage-deflate; hasOwnProperty=server_max_window_bits'],
    ['permessage-deflate; server_max_window_bits'],
    ['permessage-deflate; server_max_window_bits=7'],
    ['permessage-deflate; server_max_window_bits=16'],
    ['permessage-deflate; server_max_window_bits=010'],
    ['permessage-deflate; server_max_window_bits=1e1'],
    ['permessage-deflate; client_max_window_bits=999999999'],
    ['permessage-deflate; client_max_window_bits=""'],
    ['permessage-deflate; server_no_context_takeover=1'],
    ['permessage-deflate; client_max_window_bits; client_max_window_bits'],
    ['permessage-deflate "'],
  ])('%s is refused', (value) => {
    expect(refusal(() => parseDeflateOffer([value])).code).toBe('BAD_REQUEST');
  });
});

describe('an answer to permessage-deflate', () => {
  const D = 'permessage-deflate';
  test.each([
    [D, D],
    [D, `${D}; client_max_window_bits`],
    [D, `${D}; client_no_context_takeover`],
    [`${D}; server_no_context_takeover`, D],
    [`${D}; client_no_context_takeover`, D],
    [`${D}; server_max_window_bits=9`, D],
    [`${D};server_no_context_takeover`, `${D}; server_no_context_takeover`],
    [`${D}; server_max_window_bits=10`, `${D}; server_max_window_bits=10`],
    [`${D}; server_max_window_bits="9"`, `${D}; server_max_window_bits=10`],
    [`${D}; client_max_window_bits=15`, `${D}; client_max_window_bits`],
    [`${D}; client_max_window_bits=8`, `${D}; client_max_window_bits=10`],
    [D, `${D}; server_max_window_bits=10, ${D}`],
    [`${D}; client_max_window_bits=12`, `${D}; server_no_context_takeover, ${D}; client_max_window_bits`],
  ])('%s accepts %s', (answer, offer) => {
    expect(isDeflateAnswer(answer, offer)).toBe(true);
  });

  test.each([
    ['x-shrink', D],
    ['', D],
    [`${D}, ${D}`, `${D}, ${D}`],
    [`${D}=1`, D],
    [`${D}; what`, D],
    [`${D}; server_no_context_takeover=1`, D],
    [`${D}; server_no_context_takeover; server_no_context_takeover`, D],
    [`${D}; server_max_window_bits`, D],
    [`${D}; server_max_window_bits=16`, D],
    [`${D}; server_max_window_bits=07`, D],
    [`${D}; client_max_window_bits`, `${D}; client_max_window_bits`],
    [`${D}; client_max_window_bits=10`, D],
    [`${D}; client_max_window_bits=11`, `${D}; client_max_window_bits=10`],
    [`${D}; server_max_window_bits=11`, `${D}; server_max_window_bits=10`],
    [D, `${D}; server_no_context_takeover`],
    [D, `${D}; server_max_window_bits=10`],
    [`${D}; client_max_window_bits=12`, `${D}; server_no_context_takeover; client_max_window_bits, ${D}`],
    [`${D} "`, D],
  ])('%s does not accept %s', (answer, offer) => {
    expect(isDeflateAnswer(answer, offer)).toBe(false);
  });
});

test('an offer is read or refused, never anything else', () => {
  const part = fc.constantFrom(
    'permessage-deflate',
    ';',
    ',',
    '=',
    '"',
    '10',
    ' ',
    'client_max_window_bits',
    '\\',
  );
  const value = fc.oneof(
    fc.string(),
    fc.array(part).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(fc.array(value), (values) => {
      for (const parse of [parseProtocols, parseDeflateOffer]) {
        try {
          parse(values);
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError);
        }
      }
    }),
  );
});
