import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { asHeaders, bodyOf, takesTrailers } from '../../src/passthrough/head.ts';

function message(headers: IncomingHttpHeaders, method = 'GET'): IncomingMessage {
  return { method, headers } as IncomingMessage;
}

test('fields of one name are one list, in the spelling of the first and in their order', () => {
  const headers = asHeaders([
    ['X-Two', '1'],
    ['Host', 'a'],
    ['x-two', '2'],
    ['X-TWO', '3'],
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
  expect(Object.entries(headers)).toEqual([
    ['X-Two', ['1', '2', '3']],
    ['Host', 'a'],
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
});

test.each<[IncomingHttpHeaders, string, boolean]>([
  [{}, 'GET', false],
  [{ te: 'trailers' }, 'GET', true],
  [{ te: 'trailers' }, 'HEAD', false],
  [{ te: 'gzip;q=0.5, Trailers' }, 'POST', true],
  [{ te: 'gzip' }, 'GET', false],
  [{ te: 'no-trailers' }, 'GET', false],
])('%j with %s takes trailers: %s', (headers, method, expected) => {
  expect(takesTrailers(message(headers, method))).toBe(expected);
});

test.each<[IncomingHttpHeaders, ReturnType<typeof bodyOf>]>([
  [{}, { present: false, framing: [] }],
  [{ trailer: 'x' }, { present: false, framing: [] }],
  [
    { 'content-length': '0', trailer: 'x' },
    { present: false, framing: [['content-length', '0']] },
  ],
  [{ 'content-length': '2' }, { present: true, framing: [['content-length', '2']] }],
  [{ 'transfer-encoding': 'Chunked' }, { present: true, framing: [['transfer-encoding', 'chunked']] }],
  [
    { 'transfer-encoding': 'chunked', trailer: 'x-sum' },
    {
      present: true,
      framing: [
        ['transfer-encoding', 'chunked'],
        ['trailer', 'x-sum'],
      ],
    },
  ],
])('the body of %j is framed so', (headers, expected) => {
  expect(bodyOf(message(headers))).toEqual(expected);
});
