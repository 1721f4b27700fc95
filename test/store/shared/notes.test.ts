import { beforeEach, describe, expect, test } from 'vitest';
import { MemoryNotes } from '../../../src/store/memory-commons.ts';
import { Guard } from '../../../src/store/shared/guard.ts';
import { SharedNotes } from '../../../src/store/shared/notes.ts';

/** Notes that are kept with others, while these can be reached, and while not. */

const UNAVAILABLE = { code: 'STORE_UNAVAILABLE' };
const LONG = 60_000;

let shared: MemoryNotes;
/** What becomes of what is asked. */
let trouble: 'none' | 'refused' | 'silent' = 'none';
let isConnected = true;
let now = 0;

beforeEach(() => {
  shared = new MemoryNotes();
  trouble = 'none';
  isConnected = true;
});

async function troubled<T>(answer: () => Promise<T>): Promise<T> {
  if (trouble === 'refused') throw new Error('full');
  // It is done all the same.
  const done = answer();
  return trouble === 'silent' ? new Promise(() => {}) : done;
}

function open(refuses = false) {
  const guard = new Guard({ withinMs: 5, now: () => now });
  const notes = new SharedNotes({
    notes: {
      put: (...what) => troubled(() => shared.put(...what)),
      take: (name) => troubled(() => shared.take(name)),
    },
    guard,
    isConnected: () => isConnected,
    refuses,
  });
  /** Until nobody is asked any more. */
  async function giveUp(kind: 'refused' | 'silent') {
    trouble = kind;
    for (let index = 0; index < 3; index++)
      await expect(notes.put(`doubtful ${index}`, 'x', LONG)).rejects.toMatchObject(UNAVAILABLE);
    expect(guard.isAnswering).toBe(false);
  }
  return { notes, guard, giveUp };
}

test('a note is kept with the others, and taken once', async () => {
  const [one, two] = [open().notes, open().notes];
  expect(await one.put('n', 'text', LONG)).toBe(true);
  expect(await two.put('n', 'other', LONG)).toBe(false);
  expect([await two.take('n'), await one.take('n')]).toEqual(['text', undefined]);
});

describe('where the others cannot be reached', () => {
  test('a note that may be kept there is not kept here too', async () => {
    const { notes } = open();
    trouble = 'silent';
    await expect(notes.put('n', 'text', LONG)).rejects.toMatchObject(UNAVAILABLE);
    trouble = 'none';
    expect([await notes.take('n'), await notes.take('n')]).toEqual(['text', undefined]);
  });

  test.each(['refused', 'silent'] as const)(
    'it is kept by this process, once that is clear: %s',
    async (kind) => {
      const { notes, giveUp } = open();
      await giveUp(kind);
      expect(await notes.put('n', 'text', LONG)).toBe(true);
      expect(await notes.put('n', 'other', LONG)).toBe(false);
      expect([await notes.take('n'), await notes.take('n')]).toEqual(['text', undefined]);
      expect(await notes.take('unknown')).toBeUndefined();
      expect(shared.has('n')).toBe(false);
    },
  );

  test('without a connection that is clear at once', async () => {
    const { notes } = open();
    isConnected = false;
    trouble = 'refused';
    expect(await notes.put('n', 'text', LONG)).toBe(true);
    expect(await notes.take('n')).toBe('text');
  });

  test('where that is wished nothing is kept, and nothing is known', async () => {
    const { notes, giveUp } = open(true);
    await giveUp('silent');
    await expect(notes.put('n', 'text', LONG)).rejects.toMatchObject(UNAVAILABLE);
    await expect(notes.take('n')).rejects.toMatchObject(UNAVAILABLE);
    isConnected = false;
    await expect(notes.take('n')).rejects.toMatchObject(UNAVAILABLE);
  });

  test('they are asked again with a note that nobody needs, and what was kept here is still taken here', async () => {
    const { notes, guard, giveUp } = open();
    await giveUp('refused');
    await notes.put('n', 'text', LONG);
    trouble = 'none';
    now += 1_000;
    await notes.take('unknown');
    await new Promise((resolve) => setImmediate(resolve));
    expect(guard.isAnswering).toBe(true);
    expect(await notes.put('n', 'other', LONG)).toBe(false);
    expect(await notes.put('m', 'text', LONG)).toBe(true);
    expect([await notes.take('n'), shared.has('m')]).toEqual(['text', true]);
  });

  test('who puts one asks whether they can be reached again, too', async () => {
    const { notes, guard, giveUp } = open();
    await giveUp('refused');
    trouble = 'none';
    now += 1_000;
    expect(await notes.put('n', 'text', LONG)).toBe(true);
    await new Promise((resolve) => setImmediate(resolve));
    expect(guard.isAnswering).toBe(true);
  });

  test('who takes a note of the others does not get it, and no failure either', async () => {
    const { notes } = open();
    await notes.put('n', 'text', LONG);
    trouble = 'refused';
    expect(await notes.take('n')).toBeUndefined();
  });
});
