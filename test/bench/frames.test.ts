import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLOSE, clientFrame, PayloadCounter } from '../../bench/load/frames.ts';
import { Unmasker } from '../../bench/services/unmask.ts';

const payloads = fc.array(
  fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ minLength: 65_530, maxLength: 65_540 })),
  { minLength: 1, maxLength: 6 },
);
const keys = fc.constantFrom(Buffer.alloc(4), Buffer.from([1, 2, 3, 4]));
const cuts = fc.infiniteStream(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 70_000 })));

/** Copies of pieces of `bytes`, cut where `sizes` say. */
function* pieces(bytes: Buffer, sizes: Iterator<number>): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const end = at + (sizes.next().value as number);
    yield Buffer.from(bytes.subarray(at, end));
    at = end;
  }
}

function ping(payload: string): Buffer {
  const frame = clientFrame(Buffer.from(payload), Buffer.from([5, 6, 7, 8]));
  frame[0] = 0x89;
  return frame;
}

describe('an echo and the count of it', () => {
  it('gives back every payload byte, however the stream is cut', () => {
    fc.assert(
      fc.property(payloads, keys, cuts, cuts, (messages, key, there, back) => {
        const sent = Buffer.concat(messages.map((message) => clientFrame(Buffer.from(message), key)));
        const unmasker = new Unmasker();
        const echoed = Buffer.concat([...pieces(sent, there)].map((piece) => unmasker.turn(piece)));
        const counter = new PayloadCounter({ onPing() {}, onClose() {} });
        counter.kept = [];
        let count = 0;
        for (const piece of pieces(echoed, back)) count += counter.count(piece, piece.length);
        const expected = Buffer.concat(messages);
        expect(count).toBe(expected.length);
        expect(Buffer.concat(counter.kept).equals(expected)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('answers a ping, and says Close last of all', () => {
    const heard: string[] = [];
    const counter = new PayloadCounter({
      onPing: (payload) => heard.push(`ping ${payload}`),
      onClose: (payload) => heard.push(`close ${payload.readUInt16BE()}`),
    });
    const unmasker = new Unmasker();
    const frames = unmasker.turn(
      Buffer.concat([ping('hey'), clientFrame(Buffer.from('hello')), CLOSE, ping('late')]),
    );
    expect(frames.subarray(0, 5).toString('latin1')).toBe('\x8a\x03hey');
    expect(unmasker.closed).toBe(true);
    expect(counter.count(frames, frames.length)).toBe(5);
    expect(heard).toEqual(['close 1000']);
  });

  it('waits for the whole of a ping', () => {
    const heard: string[] = [];
    const counter = new PayloadCounter({ onPing: (payload) => heard.push(`${payload}`), onClose() {} });
    for (const byte of Buffer.from('\x89\x03hey', 'latin1')) counter.count(Buffer.from([byte]), 1);
    expect(heard).toEqual(['hey']);
  });
});
