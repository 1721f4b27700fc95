import { expect, test } from 'vitest';
import { MemoryNotes } from '../../src/store/memory-commons.ts';

test('of notes that are longer together than there is room, the oldest are forgotten first', async () => {
  const notes = new MemoryNotes(() => 0);
  const text = 'x'.repeat(8 * 1024 * 1024);
  for (const name of ['a', 'b', 'c', 'd', 'e']) expect(await notes.put(name, text, 1_000)).toBe(true);
  expect(['a', 'b', 'e'].map((name) => notes.has(name))).toEqual([false, true, true]);
  // What was taken has made room.
  await notes.take('b');
  await notes.put('f', text, 1_000);
  expect(['c', 'd', 'e', 'f'].map((name) => notes.has(name))).toEqual([true, true, true, true]);
});
