import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeMessage } from '../../src/tcp-protocol/decode.ts';
import { encodeMessage } from '../../src/tcp-protocol/encode.ts';
import {
  MAX_DATA_BYTES,
  MAX_TEXT_BYTES,
  type TcpMessage,
  TcpProtocolError,
  TYPES,
} from '../../src/tcp-protocol/types.ts';

/** The byte vectors of config/TCP-PROTOCOL.md: what stands there is what is spoken. */

const [vectors = [], malformed = []] = [
  ...readFileSync('config/TCP-PROTOCOL.md', 'utf8').matchAll(/```text\n([^`]*)```/g),
].map(([, block = '']) =>
  block
    .trim()
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim())),
);

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}

/** As the page writes it: bytes in hexadecimal. */
function written(message: TcpMessage): unknown {
  return JSON.parse(
    JSON.stringify(message, (_, value) => (value instanceof Uint8Array ? hex(value) : value)),
  );
}

describe('the vectors of the page', () => {
  test('there is one of each type', () => {
    const types = new Set(vectors.map(([, , json = '']) => JSON.parse(json).type));
    expect([...types].sort()).toEqual(Object.keys(TYPES).sort());
    expect(malformed.length).toBeGreaterThan(10);
  });

  test.each(vectors)('%s is read and written', (_, bytes = '', json = '') => {
    const message = decodeMessage(bytesOf(bytes));
    expect(written(message)).toEqual(JSON.parse(json));
    expect(hex(encodeMessage(message))).toBe(bytes);
  });

  test.each(malformed)('%s is refused', (_, bytes = '') => {
    expect(() => decodeMessage(bytesOf(bytes))).toThrow(TcpProtocolError);
  });
});

test('a text is cut between two characters', () => {
  const text = 'é'.repeat(MAX_TEXT_BYTES);
  const message = decodeMessage(encodeMessage({ type: 'RESET', code: 1014, error: '', text }));
  expect(message).toMatchObject({ text: 'é'.repeat(MAX_TEXT_BYTES / 2) });
  const odd = decodeMessage(encodeMessage({ type: 'RESET', code: 1014, error: '', text: `a${text}` }));
  expect(odd).toMatchObject({ text: `a${'é'.repeat(MAX_TEXT_BYTES / 2 - 1)}` });
});

test('the longest message is one of DATA', () => {
  const longest = encodeMessage({ type: 'DATA', data: new Uint8Array(MAX_DATA_BYTES) });
  expect(decodeMessage(longest)).toMatchObject({ type: 'DATA' });
  expect(() => decodeMessage(new Uint8Array(longest.length + 1))).toThrow(TcpProtocolError);
});

test('whatever comes is a message that is written as it was read, or is refused as malformed', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 12 }), fc.uint8Array({ maxLength: 80 }), (type, rest) => {
      const bytes = Uint8Array.of(type, ...rest);
      try {
        expect(hex(encodeMessage(decodeMessage(bytes)))).toBe(hex(bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(TcpProtocolError);
      }
    }),
    { numRuns: 2_000 },
  );
});
