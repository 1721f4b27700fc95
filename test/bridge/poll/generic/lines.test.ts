import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineReader } from '../../../../src/bridge/poll/generic/lines.ts';
import { inPieces, pieces } from '../../../support/pieces.ts';

test('a body is the same lines wherever it is cut', () => {
  const token = fc.constantFrom('a', 'é', '😀', '\r', '\n', '\r\n');
  const text = fc.array(token, { maxLength: 40 }).map((tokens) => tokens.join(''));
  fc.assert(
    fc.property(text, pieces(), (body, cuts) => {
      const reader = new LineReader({ limit: 1000, loneCr: false });
      const lines = inPieces(Buffer.from(body), cuts, (piece) => reader.push(piece));
      const parts = body.split('\n');
      const rest = parts.pop() as string;
      const last = rest === '' ? [] : [rest];
      expect([...lines, ...reader.end()]).toEqual([...parts, ...last].map((line) => line.replace(/\r$/, '')));
    }),
  );
});

test.each([
  ['in one piece', [20]],
  ['in many', [1]],
])('a line may be as long as the limit, %s', (_, cuts) => {
  const read = (length: number) => {
    const reader = new LineReader({ limit: 10, loneCr: false });
    return inPieces(Buffer.from(`${'x'.repeat(length)}\n`), cuts, (piece) => reader.push(piece));
  };
  expect(read(10)).toEqual(['x'.repeat(10)]);
  expect(() => read(11)).toThrow(expect.objectContaining({ code: 'UPSTREAM_INVALID' }));
});

test('what has no end is refused as soon as it is too long', () => {
  const reader = new LineReader({ limit: 10, loneCr: false });
  expect(() => reader.push(Buffer.alloc(11, 'x'))).toThrow('invalid answer');
});
