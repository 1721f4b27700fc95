import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MessageReader } from '../../../../src/bridge/tcp/v1/message-reader.ts';
import { type FrameHandler, FrameReader, PASS } from '../../../../src/frames/reader.ts';
import { encodeMessage } from '../../../../src/tcp-protocol/encode.ts';
import type { TcpMessage } from '../../../../src/tcp-protocol/types.ts';
import { BINARY, frame } from '../../../support/raw.ts';

/** What a reader makes of frames: each message once, the data of one joined. */
function read(...chunks: readonly Buffer[]): unknown[] {
  const heard: unknown[] = [];
  const messages = new MessageReader({
    data(bytes, from, to, isFirst) {
      const text = bytes.subarray(from, to).toString('latin1');
      if (isFirst) heard.push(text);
      else heard.push(`${heard.pop()}${text}`);
    },
    message: (message) => void heard.push(message),
  });
  const frames: FrameHandler = {
    frame(at) {
      messages.frame(at);
      return PASS;
    },
    payload: (bytes, from, to, at) => messages.payload(bytes, from, to, at),
    control: () => PASS,
    raw() {},
    boundary() {},
    violation() {},
  };
  const options = { masked: false, deflate: false, maxMessage: 65_537, maxFragments: 1000 };
  const reader = new FrameReader(options, frames);
  for (const chunk of chunks) reader.push(chunk);
  return heard;
}

/** A message in as many frames as there are sizes and one more, none masked. */
function framed(bytes: Buffer, sizes: readonly number[] = []): Buffer {
  const cuts = [0, ...sizes.map((size) => Math.min(size, bytes.length)).sort((a, b) => a - b), bytes.length];
  const frames = cuts.slice(1).map((to, index) =>
    frame(index === 0 ? BINARY : 0, bytes.subarray(cuts[index], to), {
      fin: index === cuts.length - 2,
      masked: false,
    }),
  );
  return Buffer.concat(frames);
}

const page = readFileSync('config/TCP-PROTOCOL.md', 'utf8');
const [good = '', bad = ''] = page.split('These are malformed:');

test.each([...bad.matchAll(/^([^|\n]+?) *\| ?([0-9a-f]*)$/gm)].map(([, name, hex]) => [name, hex]))(
  'malformed: %s',
  (_name, hex) => {
    const act = () => read(framed(Buffer.from(hex ?? '', 'hex')));
    expect(act).toThrow(expect.objectContaining({ code: 'PROTOCOL_ERROR' }));
  },
);

const vectors = [...good.matchAll(/^[A-Z_]+\b.*?\| ([0-9a-f]+) \|/gm)].map(([, hex]) =>
  Buffer.from(hex ?? '', 'hex'),
);

describe('messages come whole', () => {
  test('there are vectors', () => {
    expect(vectors.length).toBeGreaterThan(10);
  });

  test('however they are cut into frames and chunks', () => {
    const size = fc.integer({ min: 0, max: 60 });
    const cut = fc.record({ index: fc.nat(vectors.length - 1), sizes: fc.array(size, { maxLength: 4 }) });
    fc.assert(
      fc.property(
        fc.array(cut, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 50 }),
        (list, step) => {
          const whole = list.map(({ index }) => vectors[index] as Buffer);
          const stream = Buffer.concat(
            list.map(({ index, sizes }) => framed(vectors[index] as Buffer, sizes)),
          );
          const chunks = [];
          for (let at = 0; at < stream.length; at += step)
            chunks.push(Buffer.from(stream.subarray(at, at + step)));
          const heard = read(...chunks).map((each) =>
            typeof each === 'string'
              ? Buffer.concat([Buffer.of(0), Buffer.from(each, 'latin1')])
              : Buffer.from(encodeMessage(each as TcpMessage)),
          );
          expect(heard.map((each) => each.toString('hex'))).toEqual(
            whole.map((each) => each.toString('hex')),
          );
        },
      ),
    );
  });
});

test('a message of another type than DATA is kept only as far as any may be long', () => {
  const endless = Buffer.concat([Buffer.of(6), Buffer.alloc(20_000, 97)]);
  expect(() => read(framed(endless))).toThrow(/type 6/);
});
