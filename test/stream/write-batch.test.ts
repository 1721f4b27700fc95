import { beforeEach, expect, test } from 'vitest';
import { atTurnEnd, holdScratch, scratch } from '../../src/stream/write-batch.ts';
import { turns } from '../support/pairs.ts';

const SCRATCH_BYTES = 32 * 1024;
const SIZES = [1, 4096, 2, 0, 1500, 125, 4096, 7, 999];

/** Ends the turn, with whoever waits for it: the next `scratch` is the first of its turn. */
async function endTurn(): Promise<void> {
  atTurnEnd({ flush() {} });
  await turns();
}

beforeEach(endTurn);

/** Takes room for each size and writes its number into it. */
function fill(sizes: readonly number[]): Buffer[] {
  return sizes.map((size, index) => scratch(size).fill(index + 1));
}

function expectUnspoilt(rooms: readonly Buffer[]): void {
  const spoilt = rooms.filter((room, index) => room.some((byte) => byte !== index + 1));
  expect(spoilt).toEqual([]);
}

test('the rooms of a turn do not overlap', () => {
  const rooms = fill(SIZES);
  expect(rooms.map((room) => room.length)).toEqual(SIZES);
  expectUnspoilt(rooms);
});

test('a turn may use the whole memory, the next one uses it again', async () => {
  const rooms = fill(Array<number>(8).fill(4096));
  const [first] = rooms as [Buffer];
  expect(rooms.reduce((sum, { length }) => sum + length, 0)).toBe(SCRATCH_BYTES);
  expectUnspoilt(rooms);
  await endTurn();
  const again = scratch(1);
  expect([again.buffer === first.buffer, again.byteOffset]).toEqual([true, first.byteOffset]);
});

test('what goes beyond the memory flushes first, while all rooms are as they were', () => {
  const rooms = fill(Array<number>(8).fill(4096));
  let flushes = 0;
  atTurnEnd({
    flush() {
      flushes++;
      expectUnspoilt(rooms);
    },
  });
  expect(flushes).toBe(0);
  scratch(1).fill(255);
  expect(flushes).toBe(1);
});

test('who waits is flushed once, in the order of asking; who asks while flushing waits for the next turn', async () => {
  const seen: string[] = [];
  const late = { flush: () => void seen.push('late') };
  atTurnEnd({ flush: () => void seen.push('first') });
  atTurnEnd({
    flush() {
      seen.push('second');
      atTurnEnd(late);
    },
  });
  expect(seen).toEqual([]);
  await turns();
  expect(seen).toEqual(['first', 'second']);
  await turns(2);
  expect(seen).toEqual(['first', 'second', 'late']);
});

test('held memory is left to who holds it, and only that one', async () => {
  const rooms = fill(SIZES);
  atTurnEnd({ flush: holdScratch });
  await turns();
  const next = fill(Array<number>(8).fill(4096));
  expectUnspoilt(rooms);
  await endTurn();
  expect(scratch(1).buffer).toBe(next[0]?.buffer);
});

test('memory held in a flush amid the turn is left as well', () => {
  const rooms = fill(Array<number>(8).fill(4096));
  atTurnEnd({ flush: holdScratch });
  scratch(4096).fill(255);
  expectUnspoilt(rooms);
});
