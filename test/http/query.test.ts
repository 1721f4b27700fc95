import { expect, test } from 'vitest';
import { withoutParameters, withParameters, withQuery } from '../../src/http/query.ts';

test.each([
  ['/a', 'x=1', '/a?x=1'],
  ['/a?b=2', 'x=1', '/a?b=2&x=1'],
  ['/a', '', '/a'],
])('withQuery(%s, %s) is %s', (path, query, expected) => {
  expect(withQuery(path, query)).toBe(expected);
});

test.each([
  [undefined, 'k=v', 'k=v'],
  ['', 'k=v', 'k=v'],
  ['a=%20&b', 'k=v', 'a=%20&b&k=v'],
  ['a', '', 'a'],
  ['', '', ''],
  [undefined, '', undefined],
])('withParameters(%s, %s) is %s', (query, more, expected) => {
  expect(withParameters(query, more)).toBe(expected);
});

test.each([
  ['a=1&key=x&b=%32', 'a=1&b=%32'],
  ['k%65y=x&a', 'a'],
  ['key', undefined],
  ['keys=1&&a=%zz', 'keys=1&&a=%zz'],
  ['', ''],
  [undefined, undefined],
])('%s without its key is %s', (query, expected) => {
  expect(withoutParameters(query, (parameter) => parameter.has('key'))).toBe(expected);
});
