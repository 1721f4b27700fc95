import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { Backlog } from '../../../src/bridge/tcp/backlog.ts';
import { Lines } from '../../../src/bridge/tcp/framing/lines.ts';
import { MessageReader } from '../../../src/bridge/tcp/v1/message-reader.ts';
import { type FrameHandler, FrameReader, PASS } from '../../../src/frames/reader.ts';
import { BINARY, frame } from '../../support/raw.ts';

/** What is kept of a message while the rest of it is awaited. */

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const FRAGMENTS = 16_000;
const READERS = 20;

const first = frame(BINARY, Buffer.of(6), { fin: false, masked: false });
const next = frame(0, Buffer.of(97), { fin: false, masked: false });
const begun = Buffer.concat([first, ...Array<Buffer>(FRAGMENTS).fill(next)]);

type Payload = Pick<MessageReader, 'frame' | 'payload'>;

/** A message that never ends, as far as it has come. */
function beginMessage(payload: Payload): FrameReader {
  const handler: FrameHandler = {
    frame: (reader) => {
      payload.frame(reader);
      return PASS;
    },
    payload: payload.payload.bind(payload),
    control: () => PASS,
    raw() {},
    boundary() {},
    violation() {},
  };
  const options = { masked: false, deflate: false, maxMessage: 65_537, maxFragments: 20_000 };
  const reader = new FrameReader(options, handler);
  reader.push(begun);
  return reader;
}

function memory(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

describe('fragments of one byte take up little more than their sum', () => {
  test.each<[string, () => Payload]>([
    ['of sallyport.tcp.v1', () => new MessageReader({ data() {}, message() {} })],
    ['of a line', () => new Lines(65_536, BINARY)],
  ])('%s', (_, create) => {
    const before = memory();
    const kept = Array.from({ length: READERS }, () => beginMessage(create()));
    expect(memory() - before).toBeLessThan(kept.length * FRAGMENTS * 20);
  });
});

test('what waits comes out once, in its order', () => {
  const backlog = new Backlog();
  for (const piece of ['a', 'bc', '', 'defgh', 'i']) backlog.add(Buffer.from(piece));
  expect(backlog.length).toBe(9);
  expect(backlog.take()?.toString()).toBe('abcdefghi');
  expect(backlog.take()).toBeUndefined();
  backlog.add(Buffer.from('next'));
  expect(backlog.take()?.toString()).toBe('next');
});
