import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatByteRate,
  formatRate,
  formatSize,
  parseByteRate,
  parseDuration,
  parseRate,
  parseSize,
} from '../../src/config/units.ts';

describe('parseDuration', () => {
  test.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['1.5s', 1500],
    ['5m', 300_000],
    ['12h', 43_200_000],
    ['7d', 604_800_000],
    ['2147483647ms', 2_147_483_647],
  ])('reads %s', (text, ms) => expect(parseDuration(text)).toBe(ms));

  test.each([
    '',
    '5',
    's',
    '5 s',
    '-5s',
    '+5s',
    '5S',
    '1e3s',
    '0s',
    '0.4ms',
    '.5s',
    '5.s',
    '25d',
    '2147483648ms',
    ' 5s',
    '5s\n',
  ])('refuses %j', (text) => expect(parseDuration(text)).toBeUndefined());

  test('is the number times its unit', () => {
    const units = fc.constantFrom(['ms', 1], ['s', 1000], ['m', 60_000], ['h', 3_600_000]) as fc.Arbitrary<
      [string, number]
    >;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), units, (count, [name, ms]) => {
        expect(parseDuration(`${count}${name}`)).toBe(count * ms);
      }),
    );
  });
});

describe('parseSize', () => {
  test.each([
    ['512B', 512],
    ['64KiB', 65_536],
    ['1.5MiB', 1_572_864],
    ['2GiB', 2_147_483_648],
  ])('reads %s', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  test.each(['', '64', '64KB', '64kib', '0B', '-1B', '1 KiB', '99999999999GiB'])('refuses %j', (text) =>
    expect(parseSize(text)).toBeUndefined(),
  );

  test('reads back whatever formatSize writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (bytes) => {
        expect(parseSize(formatSize(bytes))).toBe(bytes);
      }),
    );
  });
});

describe('parseRate', () => {
  test.each([
    ['20/s', 20, 1000],
    ['600/m', 600, 60_000],
    ['1000/h', 1000, 3_600_000],
  ])('reads %s', (text, count, perMs) => expect(parseRate(text)).toEqual({ count, perMs }));

  test.each(['', '20', '0/s', '1.5/s', '20/d', '20/s/s', '/s', '20/', '-1/s', '99999999999999999999/s'])(
    'refuses %j',
    (text) => expect(parseRate(text)).toBeUndefined(),
  );
});

describe('parseByteRate', () => {
  test.each([
    ['1MiB/s', 1_048_576, 1000],
    ['10KiB/m', 10_240, 60_000],
  ])('reads %s', (text, count, perMs) => expect(parseByteRate(text)).toEqual({ count, perMs }));

  test.each(['', '1MiB', '20/s', '0B/s', '1MiB/d', '1MB/s', '1MiB/s/s'])('refuses %j', (text) =>
    expect(parseByteRate(text)).toBeUndefined(),
  );
});

test('rates are read back as they are written', () => {
  const perMs = fc.constantFrom(1000, 60_000, 3_600_000);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000_000 }), perMs, (count, per) => {
      expect(parseRate(formatRate({ count, perMs: per }))).toEqual({ count, perMs: per });
      expect(parseByteRate(formatByteRate({ count, perMs: per }))).toEqual({ count, perMs: per });
    }),
  );
});

test('no text makes a parser throw', () => {
  const alphabet = fc.constantFrom(...'019.eE+- KMGiBmshd/\n');
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: alphabet })), (text) => {
      for (const parse of [parseDuration, parseSize, parseRate, parseByteRate]) parse(text);
    }),
  );
});
