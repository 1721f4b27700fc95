import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CapsuleReader, MAX_SKIPPED_BYTES } from '../../src/capsules/reader.ts';
import { CapsuleError, type CapsuleTypes, CONNECT_TCP } from '../../src/capsules/types.ts';
import { capsuleHead } from '../../src/capsules/writer.ts';

/** Capsules as RFC 9297 and the drafts of connect-tcp have them, on bytes. */

const TYPES = CONNECT_TCP.get('connect-tcp-12') as CapsuleTypes;
const DATA = 'a028d7f2';
const FINAL_DATA = 'a028d7f3';

/** All that a reader has handed on. */
function reading(begin = () => true) {
  const got: Buffer[] = [];
  const reader = new CapsuleReader(TYPES, {
    begin,
    data: (bytes, from, to) => void got.push(Buffer.from(bytes.subarray(from, to))),
  });
  return { reader, text: () => Buffer.concat(got).toString('latin1') };
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

test.each([
  ['connect-tcp-12', 0x2028d7f2, 0x2028d7f3],
  ['connect-tcp-08', 0x2028d7f0, 0x2028d7f1],
  ['connect-tcp-07', 0x2028d7f0, 0x2028d7f1],
])('the capsules of %s are those of its draft', (token, data, finalData) => {
  expect(CONNECT_TCP.get(token)).toEqual({ data, finalData });
});

describe('heads', () => {
  test.each<[number, number, string]>([
    [TYPES.data, 0, `${DATA} 00`],
    [TYPES.data, 63, `${DATA} 3f`],
    [TYPES.finalData, 64, `${FINAL_DATA} 40 40`],
    [TYPES.data, 16_383, `${DATA} 7f ff`],
    [TYPES.data, 16_384, `${DATA} 80 00 40 00`],
    [TYPES.data, 2 ** 30 - 1, `${DATA} bf ff ff ff`],
    [TYPES.data, 2 ** 30, `${DATA} c0 00 00 00 40 00 00 00`],
    [0, 37, '00 25'],
    // RFC 9000 §A.1.
    [494_878_333, 15_293, '9d 7f 3e 7d 7b bd'],
  ])('type %d with %d bytes is written as %s', (type, length, text) => {
    expect(capsuleHead(type, length).toString('hex')).toBe(text.replaceAll(' ', ''));
  });
});

describe('what comes', () => {
  test.each([
    ['a DATA capsule', `${DATA} 02 6869`, 'hi', false],
    ['an empty one', `${DATA} 00`, '', false],
    ['a length of two bytes where one would do', `${DATA} 4002 6869`, 'hi', false],
    ['one of eight', `${DATA} c000000000000002 6869`, 'hi', false],
    ['a type of eight', 'c00000002028d7f2 02 6869', 'hi', false],
    ['the last bytes in a FINAL_DATA capsule', `${DATA} 01 68 ${FINAL_DATA} 01 69`, 'hi', true],
    ['an empty FINAL_DATA', `${DATA} 02 6869 ${FINAL_DATA} 00`, 'hi', true],
    ['a DATAGRAM in between', `${DATA} 01 68 00 03 616263 ${DATA} 01 69`, 'hi', false],
    ['capsules of other versions', `a028d7f0 02 6161 ${DATA} 02 6869`, 'hi', false],
    ['a type beyond 2^53', `ffffffffffffffff 01 61 ${DATA} 02 6869`, 'hi', false],
    ['an unknown one behind the last byte', `${FINAL_DATA} 02 6869 17 01 61`, 'hi', true],
    ['a capsule that is not whole yet', `${DATA} 05 6869`, 'hi', false],
  ])('%s', (_name, bytes, stream, isFinal) => {
    const { reader, text } = reading();
    expect(reader.push(hex(bytes))).toBe(hex(bytes).length);
    expect([text(), reader.isFinal]).toEqual([stream, isFinal]);
  });

  test.each([
    ['DATA after FINAL_DATA', `${FINAL_DATA} 00 ${DATA} 00`, 'data after FINAL_DATA'],
    ['a second FINAL_DATA', `${FINAL_DATA} 01 61 ${FINAL_DATA} 00`, 'data after FINAL_DATA'],
    ['more than can be counted', `${DATA} e000000000000000`, 'a capsule of more than 9007199254740991 bytes'],
    ['an unknown capsule that is too long', '17 80100001', 'a capsule of more than 1048576 bytes'],
  ])('%s is refused', (_name, bytes, message) => {
    expect(() => reading().reader.push(hex(bytes))).toThrow(new CapsuleError(message));
  });

  test('an unknown capsule is passed over up to a bound', () => {
    const { reader, text } = reading();
    reader.push(Buffer.concat([capsuleHead(0x17, MAX_SKIPPED_BYTES), Buffer.alloc(MAX_SKIPPED_BYTES)]));
    reader.push(hex(`${DATA} 02 6869`));
    expect(text()).toBe('hi');
  });

  test('data may have almost any length: it is not waited for', () => {
    const { reader, text } = reading();
    reader.push(Buffer.concat([capsuleHead(TYPES.data, Number.MAX_SAFE_INTEGER), Buffer.from('hi')]));
    expect(text()).toBe('hi');
  });
});

test('a capsule that may not begin stays where it is, and is asked for again', () => {
  const answers = [true, false, false, true];
  const { reader, text } = reading(() => answers.shift() ?? true);
  const [first, second] = [hex(`${DATA} 01 68`), hex(`${DATA} 01 69`)];
  expect(reader.push(Buffer.concat([first, second]))).toBe(first.length);
  expect(reader.push(second)).toBe(0);
  expect(text()).toBe('h');
  expect(reader.push(second)).toBe(second.length);
  expect(text()).toBe('hi');
});

const piece = fc.record({
  type: fc.constantFrom(TYPES.data, TYPES.data, 0, 0x17, 0x2028d7f0, 2 ** 40),
  payload: fc.uint8Array({ maxLength: 300 }),
});

test('however it is cut, the stream is the same, and ends where it ends', () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 });
  const last = fc.uint8Array({ maxLength: 70 });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), last, cuts, (pieces, rest, sizes) => {
      const all = [...pieces, { type: TYPES.finalData, payload: rest }];
      const wire = Buffer.concat(
        all.flatMap(({ type, payload }) => [capsuleHead(type, payload.length), payload]),
      );
      const stream = Buffer.concat(
        all
          .filter(({ type }) => type === TYPES.data || type === TYPES.finalData)
          .map(({ payload }) => payload),
      );
      const { reader, text } = reading();
      for (let at = 0, turn = 0; at < wire.length; turn++) {
        const to = at + (sizes[turn % sizes.length] as number);
        expect(reader.isFinal).toBe(false);
        expect(reader.push(wire.subarray(at, to))).toBe(Math.min(to, wire.length) - at);
        at = to;
      }
      expect(text()).toBe(stream.toString('latin1'));
      expect(reader.isFinal).toBe(true);
    }),
  );
});

test('any bytes are read or refused, and no more is handed on than has come', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }), (chunks) => {
      const { reader, text } = reading();
      try {
        for (const chunk of chunks) reader.push(Buffer.from(chunk));
      } catch (error) {
        expect(error).toBeInstanceOf(CapsuleError);
      }
      expect(text().length).toBeLessThanOrEqual(chunks.reduce((sum, { length }) => sum + length, 0));
    }),
  );
});
