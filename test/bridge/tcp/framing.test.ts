import { expect, test } from 'vitest';
import { Amqp } from '../../../src/bridge/tcp/framing/amqp.ts';
import type { Framing, Outlet } from '../../../src/bridge/tcp/framing/contract.ts';
import { Text } from '../../../src/bridge/tcp/framing/text.ts';

/** What the service sends, cut in two at every place. */

/** The payloads of what is said to a client, copied: their memory is the service's again. */
function saidBy(speak: (client: Outlet) => void): Buffer[] {
  const payloads: Buffer[] = [];
  speak({ message: (_, payload) => payloads.push(Buffer.from(payload)), frames() {} });
  return payloads;
}

function cutEverywhere(bytes: Buffer, create: () => Framing): Buffer[][] {
  return Array.from({ length: bytes.length + 1 }, (_, at) => {
    const framing = create();
    const first = Buffer.from(bytes.subarray(0, at));
    const sent = saidBy((client) => framing.down(first, client));
    first.fill(0);
    const behind = saidBy((client) => framing.down(bytes.subarray(at), client));
    return [...sent, ...behind, ...saidBy((client) => framing.rest(client))];
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
  expect(String(saidBy((client) => framing.down(Buffer.of(0x61, 0xff, 0xe2), client)))).toBe('a\ufffd');
  expect(String(saidBy((client) => framing.rest(client)))).toBe('\ufffd');
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
  expect(saidBy((client) => new Amqp(false).down(Buffer.from('AMQ'), client))).toEqual([Buffer.from('AMQ')]);
});
