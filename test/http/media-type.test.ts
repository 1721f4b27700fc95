import { expect, test } from 'vitest';
import { isTextType } from '../../src/http/media-type.ts';

test.each([
  ['text/plain', true],
  ['Text/HTML; charset=utf-8', true],
  ['application/json', true],
  ['application/json; charset=utf-8', true],
  ['application/problem+json', true],
  ['application/vnd.api.v1+JSON', true],
  ['application/atom+xml', true],
  ['application/x-www-form-urlencoded', true],
  ['image/svg; charset=utf-8', true],
  ['application/jsonp', false],
  ['application/octet-stream', false],
  ['x-text/plain', false],
  ['', false],
  [undefined, false],
])('%s is one of text: %s', (type, expected) => {
  expect(isTextType(type)).toBe(expected);
});
