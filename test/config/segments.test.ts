import { expect, test } from 'vitest';
import { fitsPair, readSegment, splitPair } from '../../src/config/segments.ts';

test.each([
  ['chat', { kind: 'fixed', text: 'chat' }],
  ['', { kind: 'fixed', text: '' }],
  ['{room}', { kind: 'one', name: 'room' }],
  ['{host}:{port}', { kind: 'pair', names: ['host', 'port'], between: ':' }],
  ['{a}->{b}', { kind: 'pair', names: ['a', 'b'], between: '->' }],
])('%j is read as %j', (text, pattern) => expect(readSegment(text)).toEqual(pattern));

test.each([
  [':', 'a:1', ['a', '1']],
  [':', '[::1]:22', ['[::1]', '22']],
  [':', 'a:b:', ['a', 'b:']],
  [':', '::1', [':', '1']],
  [':', 'a%3A1', ['a', '1']],
  [':', 'a%3a%3A1', ['a%3a', '1']],
  [':', 'a%253A:1', ['a%253A', '1']],
  ['2', '%32%252%25', ['%32%25', '%25']],
  ['->', 'x%2D%3Ey', ['x', 'y']],
  [':', ':1', undefined],
  [':', 'a:', undefined],
  [':', ':', undefined],
  [':', 'a', undefined],
  [':', '', undefined],
  ['::', 'a:1', undefined],
])('%j parts %s into %j', (between, segment, parts) => {
  expect(splitPair({ between }, segment)).toEqual(parts);
  expect(fitsPair({ between }, decodeURIComponent(segment))).toBe(parts !== undefined);
});
