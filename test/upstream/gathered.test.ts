import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Gathered } from '../../src/upstream/gathered.ts';

test('what is gathered is what has come, however it was cut', () => {
  const pieces = fc.array(fc.uint8Array({ minLength: 0, maxLength: 40 }).map((bytes) => Buffer.from(bytes)));
  fc.assert(
    fc.property(pieces, function holds(all) {
      const copies = all.map((piece) => Buffer.from(piece));
      const gathered = new Gathered();
      for (const piece of all) gathered.add(piece);
      expect(gathered.whole).toEqual(Buffer.concat(copies));
      expect(gathered.size).toBe(gathered.whole.length);
      // What others have given is theirs.
      expect(all).toEqual(copies);
    }),
  );
});

test('many small pieces hold no more memory than some large ones', () => {
  const gathered = new Gathered();
  for (let count = 0; count < 100_000; count++) gathered.add(Buffer.from('x'));
  expect(gathered.whole.buffer.byteLength).toBeLessThan(3 * 100_000);
});
