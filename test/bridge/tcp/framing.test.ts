import { expect, test } from 'vitest';
import { Amqp } from '../../../src/bridge/tcp/framing/amqp.ts';
import type { Framing, Outgoing } from '../../../src/bridge/tcp/framing/contract.ts';
import { Text } from '../../../src/bridge/tcp/framing/text.ts';

/** What the service sends, cut in two at every place. */

const payloads = ({ writes }: Outgoing) => writes.filter((_, index) => index % 2 === 1);

function cutEverywhere(bytes: Buffer, create: () => Framing): Buffer[][] {
  return Array.from({ length: bytes.length + 1 }, (_, at) => {
    const framing = create();
    const first = Buffer.from(bytes.subarray(0, at));
    const outgoing = [framing.down(first)];
    // Its memory is the caller's again.
    const sent = outgoing.flatMap(payloads).map((payload) => Buffer.from(payload));
    first.fill(0);
    return [...sent, ...payloads(framing.down(bytes.subarray(at))), ...payloads(framing.rest())];
  });
}

test('text is cut between characters', () => {
  const text = 'a¢€😀z';
  for (const messages of cutEverywhere(Buffer.from(text), () => new Text())) {
    const texts = messages.map((message) => new TextDecoder('utf-8', { fatal: true }).decode(message));
    expect(texts.join('')).toBe(text);
  }
});

test('of what is no text there is a replacement', () => {
  const framing = new Text();
  expect(String(payloads(framing.down(Buffer.of(0x61, 0xff, 0xe2)))[0])).toBe('a\ufffd');
  expect(String(payloads(framing.rest())[0])).toBe('\ufffd');
});

function amqpFrame(size: number): Buffer {
  const frame = Buffer.alloc(7 + size + 1, 0x41);
  frame.writeUInt8(1, 0);
  frame.writeUInt32BE(size, 3);
  frame[frame.length - 1] = 0xce;
  return frame;
}

test('no message ends within the head of an AMQP frame', () => {
  const frames = [amqpFrame(0), amqpFrame(1), amqpFrame(40)];
  const starts = frames.map((_, index) => Buffer.concat(frames.slice(0, index)).length);
  const bytes = Buffer.concat(frames);
  for (const messages of cutEverywhere(bytes, () => new Amqp(false))) {
    expect(Buffer.concat(messages).equals(bytes)).toBe(true);
    let end = 0;
    for (const message of messages) {
      end += message.length;
      expect(starts.some((start) => end > start && end < start + 7)).toBe(false);
    }
  }
});

test('a server that speaks another version of AMQP says so at once', () => {
  expect(payloads(new Amqp(false).down(Buffer.from('AMQ')))).toEqual([Buffer.from('AMQ')]);
});
