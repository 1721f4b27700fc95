import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Assembler } from '../../../src/bridge/poll/assembler.ts';
import type { Message } from '../../../src/bridge/poll/profile.ts';
import { FrameReader, PASS } from '../../../src/frames/reader.ts';
import { refusal } from '../../support/handshakes.ts';
import { BINARY, frame, PING, TEXT } from '../../support/raw.ts';

/** Reads bytes, cut in pieces of `size`, into messages. */
function assemble(bytes: Buffer, size = Infinity): Message[] {
  const messages: Message[] = [];
  const assembler = new Assembler((message) => messages.push(message));
  const options = { masked: true, deflate: false, maxMessage: Infinity, maxFragments: Infinity };
  const reader = new FrameReader(options, {
    frame(at) {
      assembler.begin(at);
      return PASS;
    },
    payload: (piece, from, to, at) => assembler.add(piece, from, to, at),
    control: () => PASS,
    raw() {},
    boundary() {},
    violation(_kind, detail) {
      throw new Error(detail);
    },
  });
  for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
  return messages;
}

const text = (data: string) => ({ data: Buffer.from(data), binary: false });
const binary = (data: string | Buffer) => ({ data: Buffer.from(data), binary: true });

test.each<[string, Buffer[], Message[]]>([
  ['a text', [frame(TEXT, 'grün')], [text('grün')]],
  ['a binary message, whatever is in it', [frame(BINARY, Buffer.of(0xff))], [binary(Buffer.of(0xff))]],
  ['an empty message', [frame(TEXT)], [text('')]],
  [
    'one after the other',
    [frame(TEXT, 'a'), frame(BINARY, 'b'), frame(TEXT, 'c')],
    [text('a'), binary('b'), text('c')],
  ],
  [
    'fragments, with a ping between them',
    [
      frame(BINARY, 'one ', { fin: false }),
      frame(PING, 'p'),
      frame(0, 'two ', { fin: false }),
      frame(0, 'three'),
    ],
    [binary('one two three')],
  ],
  ['an empty last fragment', [frame(TEXT, 'all', { fin: false }), frame(0)], [text('all')]],
  [
    'empty fragments first',
    [frame(TEXT, '', { fin: false }), frame(0, '', { fin: false }), frame(0, 'x')],
    [text('x')],
  ],
  [
    'nothing, of a message whose end has not come',
    [frame(TEXT, 'x', { fin: false }), frame(0, '', { fin: false })],
    [],
  ],
])('makes messages of frames cut anywhere: %s', (_name, frames, messages) => {
  const bytes = Buffer.concat(frames);
  for (const size of [Infinity, 7, 1]) expect(assemble(bytes, size)).toEqual(messages);
});

test('a character may be cut by fragments and chunks', () => {
  const grün = Buffer.from('grün');
  const bytes = Buffer.concat([frame(TEXT, grün.subarray(0, 3), { fin: false }), frame(0, grün.subarray(3))]);
  expect(assemble(bytes, 1)).toEqual([text('grün')]);
});

test('a text that is not UTF-8 is refused, when it is whole', () => {
  const half = frame(TEXT, Buffer.of(0xc3), { fin: false });
  expect(assemble(half)).toEqual([]);
  expect(refusal(() => assemble(Buffer.concat([half, frame(0, 'x')])))).toMatchObject({
    code: 'INVALID_PAYLOAD',
    detail: 'client: a text message',
  });
  expect(refusal(() => assemble(Buffer.concat([half, frame(0)]))).code).toBe('INVALID_PAYLOAD');
});

test('what was handed on is not touched any more', () => {
  const messages = assemble(Buffer.concat([frame(BINARY, 'first'), frame(BINARY, 'other')]));
  expect(messages.map(({ data }) => data.toString())).toEqual(['first', 'other']);
});

test('memory grows with what has come, not with what was announced', () => {
  const before = process.memoryUsage().arrayBuffers;
  const assembler = new Assembler(() => {});
  const beginning = { opcode: BINARY, fin: true, length: 2 ** 30, remaining: 2 ** 30, key: 0 } as FrameReader;
  assembler.begin(beginning);
  assembler.add(Buffer.alloc(10), 0, 10, beginning);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
});

test('a little message is held in no more room than it needs, for many of them may wait', () => {
  const frames = [frame(TEXT, 'a'), frame(BINARY, 'bc', { fin: false }), frame(0, 'd')];
  const messages = assemble(Buffer.concat(frames));
  expect(messages.map(({ data }) => (data as Buffer).buffer.byteLength)).toEqual([1, 3]);
});

test('any message in any fragments, cut at any size', () => {
  const payloads = fc.array(fc.uint8Array({ maxLength: 5_000 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(payloads, fc.integer({ min: 1, max: 3_000 }), (parts, size) => {
      const frames = parts.map((part, index) =>
        frame(index === 0 ? BINARY : 0, Buffer.from(part), { fin: index === parts.length - 1 }),
      );
      const messages = assemble(Buffer.concat(frames), size);
      expect(messages).toHaveLength(1);
      // The difference of two long buffers takes long to show.
      expect(Buffer.concat(parts).equals(messages[0]?.data as Buffer)).toBe(true);
    }),
    { numRuns: 60, endOnFailure: true },
  );
});
