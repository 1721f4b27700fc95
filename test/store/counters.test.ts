import { describe, expect, test } from 'vitest';
import { CounterTable } from '../../src/store/counters.ts';

describe('a table of counters', () => {
  test('gives out as many places per key as there are', () => {
    const table = new CounterTable();
    expect(table.acquire('a', 2)).toBeDefined();
    expect(table.acquire('a', 2)).toBeDefined();
    expect(table.acquire('a', 2)).toBeUndefined();
    expect(table.acquire('b', 2)).toBeDefined();
  });

  test('gives a released place out again', () => {
    const table = new CounterTable();
    const release = table.acquire('a', 1);
    expect(table.acquire('a', 1)).toBeUndefined();
    release?.();
    expect(table.acquire('a', 1)).toBeDefined();
  });

  test('takes a second release of the same place for nothing', () => {
    const table = new CounterTable();
    const release = table.acquire('a', 2);
    table.acquire('a', 2);
    release?.();
    release?.();
    expect(table.acquire('a', 2)).toBeDefined();
    expect(table.acquire('a', 2)).toBeUndefined();
  });

  test('forgets a key when its last place is released', () => {
    const table = new CounterTable();
    const releases = ['a', 'a', 'b'].map((key) => table.acquire(key, 5));
    expect(table.size).toBe(2);
    for (const release of releases) release?.();
    expect(table.size).toBe(0);
  });
});
