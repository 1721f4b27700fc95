import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DroppedLines } from '../../src/observe/dropped-lines.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
afterEach(() => void vi.useRealTimers());

function start() {
  const told: number[] = [];
  return { told, dropped: new DroppedLines((lines) => told.push(lines)) };
}

test('tells of the first line at once, and of the others once a minute', () => {
  const { told, dropped } = start();
  for (let line = 0; line < 5; line += 1) dropped.add(1);
  expect(told).toEqual([1]);
  vi.advanceTimersByTime(59_999);
  expect(told).toEqual([1]);
  vi.advanceTimersByTime(1);
  expect(told).toEqual([1, 4]);
  dropped.add(7);
  vi.advanceTimersByTime(60_000);
  expect(told).toEqual([1, 4, 7]);
  expect(dropped.count).toBe(12);
});

test('says nothing where nothing is dropped', () => {
  const { told, dropped } = start();
  dropped.add(2);
  vi.advanceTimersByTime(600_000);
  dropped.tell();
  expect(told).toEqual([2]);
  dropped.add(1);
  expect(told).toEqual([2, 1]);
});

test('tells of the rest when asked to', () => {
  const { told, dropped } = start();
  dropped.add(1);
  dropped.add(3);
  dropped.tell();
  expect(told).toEqual([1, 3]);
});
