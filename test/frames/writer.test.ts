import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { closePayload, mayBeSent, readClose } from '../../src/frames/close.ts';
import { mask } from '../../src/frames/mask.ts';
import { BINARY, PING } from '../../src/frames/opcodes.ts';
import { type FrameHandler, FrameReader, PASS } from '../../src/frames/reader.ts';
import { frame, frameHeader } from '../../src/frames/writer.ts';

test('masking in place equals masking byte by byte, at any alignment and offset', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(7),
      fc.integer(),
      fc.nat(10),
      (payload, shift, key, offset) => {
        const arena = Buffer.alloc(shift + payload.length + 8, 0xaa);
        arena.set(payload, shift);
        mask(arena, shift, shift + payload.length, key, offset);
        const keyBytes = Buffer.alloc(4);
        keyBytes.writeInt32BE(key);
        const expected = payload.map((byte, i) => byte ^ (keyBytes[(i + offset) & 3] as number));
        expect(arena.subarray(shift, shift + payload.length).equals(Buffer.from(expected))).toBe(true);
        expect(arena.subarray(0, shift).every((byte) => byte === 0xaa)).toBe(true);
        expect(arena.subarray(shift + payload.length).every((byte) => byte === 0xaa)).toBe(true);
      },
    ),
  );
});

test('what the writer writes, the reader reads', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        { weight: 5, arbitrary: fc.uint8Array({ maxLength: 300 }) },
        fc.constantFrom(65_535, 65_536, 70_000).map((length) => Buffer.alloc(length, 7)),
      ),
      fc.option(fc.integer(), { nil: undefined }),
      (payload, key) => {
        const seen: Buffer[] = [];
        const handler: FrameHandler = {
          frame: () => PASS,
          control: () => PASS,
          payload: (bytes, from, to, at) => {
            mask(bytes, from, to, at.key, 0);
            seen.push(bytes.subarray(from, to));
          },
          raw: () => {},
          boundary: () => {},
          violation: (violation) => expect.unreachable(violation),
        };
        const reader = new FrameReader(
          { masked: key !== undefined, deflate: false, maxMessage: Infinity, maxFragments: Infinity },
          handler,
        );
        reader.push(frame(BINARY, Buffer.from(payload), key));
        expect(Buffer.concat(seen).equals(Buffer.from(payload))).toBe(true);
      },
    ),
  );
});

test.each([
  [0, '8200'],
  [125, '827d'],
  [126, '827e007e'],
  [65_535, '827effff'],
  [65_536, '827f0000000000010000'],
  [2 ** 32 + 5, '827f0000000100000005'],
])('a header for %i bytes has the shortest form', (length, hex) => {
  expect(frameHeader(BINARY, length).toString('hex')).toBe(hex);
});

test('a masked ping carries its key', () => {
  expect(frame(PING, Buffer.from([1, 2, 3, 4]), 0x01020304).toString('hex')).toBe('89840102030400000000');
});

describe('close codes', () => {
  test.each([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999])(
    '%i may be sent',
    (code) => {
      expect(mayBeSent(code)).toBe(true);
    },
  );
  test.each([0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000])('%i may not', (code) => {
    expect(mayBeSent(code)).toBe(false);
    expect(closePayload(code, 'x')).toHaveLength(0);
  });
  test('a long reason is cut on the last border of a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (reason) => {
        const payload = closePayload(1000, reason);
        expect(payload.length).toBeLessThanOrEqual(125);
        // No character is longer than four bytes.
        expect(payload.length).toBeGreaterThanOrEqual(2 + Math.min(Buffer.byteLength(reason), 120));
        const status = readClose(payload);
        expect(status).toMatchObject({ code: 1000 });
        expect(
          Buffer.from(reason)
            .toString()
            .startsWith((status as { reason: string }).reason),
        ).toBe(true);
      }),
    );
  });
});
