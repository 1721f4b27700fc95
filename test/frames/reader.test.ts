import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mask } from '../../src/frames/mask.ts';
import { BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT } from '../../src/frames/opcodes.ts';
import {
  CUT,
  type FrameAction,
  type FrameHandler,
  FrameReader,
  PASS,
  STOP,
  type Violation,
} from '../../src/frames/reader.ts';

/** Writes down all a reader tells it. What is its to keep it keeps as it is, to see whether the reader writes over it. */
class Recorder implements FrameHandler {
  frames: { opcode: number; fin: boolean; length: number }[] = [];
  kept: { opcode: number; payload: Buffer }[] = [];
  payloads: Buffer[] = [];
  raws: Buffer[] = [];
  boundaries: number[] = [];
  violations: Violation[] = [];
  verdict: (opcode: number) => FrameAction = () => PASS;
  #offset = 0;

  frame(reader: FrameReader): FrameAction {
    const verdict = this.verdict(reader.opcode);
    if (verdict === PASS) {
      this.frames.push({ opcode: reader.opcode, fin: reader.fin, length: reader.length });
      this.#offset = 0;
    }
    return verdict;
  }
  control(opcode: number, payload: Buffer): FrameAction {
    const verdict = this.verdict(opcode);
    if (verdict !== STOP) this.kept.push({ opcode, payload });
    return verdict;
  }
  payload(bytes: Buffer, from: number, to: number, reader: FrameReader): void {
    const piece = Buffer.from(bytes.subarray(from, to));
    mask(piece, 0, piece.length, reader.key, this.#offset);
    this.#offset += piece.length;
    this.payloads.push(piece);
  }
  raw(bytes: Buffer, from: number, to: number): void {
    this.raws.push(bytes.subarray(from, to));
  }
  /** The chunk that was read is about to be read into again: what lies in it must be copied now, all else stays as it is. */
  leave(chunk: Buffer): void {
    this.raws = this.raws.map((raw) => (raw.buffer === chunk.buffer ? Buffer.from(raw) : raw));
    chunk.fill(0xee);
  }
  boundary(): void {
    this.boundaries.push(Buffer.concat(this.raws).length);
  }
  violation(violation: Violation): void {
    this.violations.push(violation);
  }
  get out(): Buffer {
    return Buffer.concat(this.raws);
  }
  get controls(): { opcode: number; payload: string }[] {
    return this.kept.map(({ opcode, payload }) => ({ opcode, payload: payload.toString('hex') }));
  }
}

interface Options {
  masked?: boolean;
  deflate?: boolean;
  maxMessage?: number;
  maxFragments?: number;
}

function reader(options: Options = {}) {
  const seen = new Recorder();
  const defaults = { masked: true, deflate: false, maxMessage: Infinity, maxFragments: Infinity };
  return { seen, reader: new FrameReader({ ...defaults, ...options }, seen) };
}

/** Reads bytes as a socket's reader would, from memory that is used again afterwards. Returns how many were taken. */
function pushBorrowed(read: FrameReader, seen: Recorder, bytes: Buffer): number {
  const chunk = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(chunk);
  const taken = read.push(chunk);
  seen.leave(chunk);
  return taken;
}

/** A frame by hand, so that illegal ones can be made. */
function bytesOf(spec: {
  opcode: number;
  fin?: boolean;
  rsv?: number;
  payload?: Buffer;
  key?: number | undefined;
  form?: 7 | 16 | 64;
}): Buffer {
  const { opcode, fin = true, rsv = 0, payload = Buffer.alloc(0), key } = spec;
  const form = spec.form ?? (payload.length < 126 ? 7 : payload.length < 65_536 ? 16 : 64);
  const length = Buffer.alloc(form === 7 ? 0 : form / 8);
  if (form === 16) length.writeUInt16BE(payload.length);
  if (form === 64) length.writeBigUInt64BE(BigInt(payload.length));
  const short = form === 7 ? payload.length : form === 16 ? 126 : 127;
  const head = Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode, (key === undefined ? 0 : 0x80) | short]);
  const body = Buffer.from(payload);
  const keyBytes = Buffer.alloc(key === undefined ? 0 : 4);
  if (key !== undefined) {
    keyBytes.writeInt32BE(key);
    body.forEach((byte, i) => {
      body[i] = byte ^ (keyBytes[i & 3] as number);
    });
  }
  return Buffer.concat([head, length, keyBytes, body]);
}

const KEY = 0x12345678;
const client = (opcode: number, payload: Buffer | string = '', rest: object = {}) =>
  bytesOf({ opcode, payload: Buffer.from(payload as string), key: KEY, ...rest });

/** A message in so many frames, all of them empty. */
function inFrames(count: number): Buffer {
  const frames = Array.from({ length: count }, (_, i) =>
    client(i === 0 ? TEXT : CONTINUATION, '', { fin: i === count - 1 }),
  );
  return Buffer.concat(frames);
}

/** Any legal stream of frames from a client: fragmented messages with control frames between the fragments. */
const legalStream = fc
  .array(
    fc.record({
      fragments: fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 }),
      big: fc.boolean(),
      binary: fc.boolean(),
      pings: fc.array(fc.uint8Array({ maxLength: 125 }), { maxLength: 2 }),
      key: fc.integer(),
    }),
    { maxLength: 6 },
  )
  .map((messages) => {
    const frames: { opcode: number; fin: boolean; payload: Buffer; bytes: Buffer }[] = [];
    const add = (opcode: number, fin: boolean, payload: Buffer, key: number) =>
      frames.push({ opcode, fin, payload, bytes: bytesOf({ opcode, fin, payload, key }) });
    for (const { fragments, big, binary, pings, key } of messages) {
      fragments.forEach((fragment, i) => {
        const payload = big && i === 0 ? Buffer.alloc(70_000, 7) : Buffer.from(fragment);
        const opcode = i > 0 ? CONTINUATION : binary ? BINARY : TEXT;
        add(opcode, i === fragments.length - 1, payload, key);
        for (const ping of pings) add(i % 2 ? PONG : PING, true, Buffer.from(ping), key);
      });
    }
    return frames;
  });

/** Where in the stream each frame ends. */
function endsOf(frames: readonly { bytes: Buffer }[]): number[] {
  let end = 0;
  return frames.map(({ bytes }) => {
    end += bytes.length;
    return end;
  });
}

/**
 * Where a stream is cut: anywhere, or `by` so many bytes from the end of a frame, for few places among many thousand
 * bytes of payload would fall into a header.
 */
const cuts = fc.array(
  fc.record({
    share: fc.nat(999_999).map((millionths) => millionths / 1_000_000),
    by: fc.option(fc.integer({ min: -2, max: 15 }), { freq: 3 }),
  }),
  { maxLength: 40 },
);

type Cuts = typeof cuts extends fc.Arbitrary<infer Places> ? Places : never;

/** The stream of these frames in chunks. */
function cut(frames: readonly { bytes: Buffer }[], places: Cuts): Buffer[] {
  const bytes = Buffer.concat(frames.map((frame) => frame.bytes));
  const ends = [0, ...endsOf(frames)];
  const at = places
    .map(({ share, by }) =>
      by === null ? Math.floor(share * bytes.length) : (ends[Math.floor(share * ends.length)] as number) + by,
    )
    .filter((place) => place > 0 && place < bytes.length);
  const sorted = [...new Set(at)].sort((a, b) => a - b);
  return [0, ...sorted].map((from, i) => bytes.subarray(from, sorted[i] ?? bytes.length));
}

describe('any legal stream, cut at any places', () => {
  test('gives the same headers, the same payload and the same bytes out', () => {
    fc.assert(
      fc.property(legalStream, cuts, (frames, places) => {
        const stream = Buffer.concat(frames.map((frame) => frame.bytes));
        const { reader: read, seen } = reader();
        for (const chunk of cut(frames, places)) expect(pushBorrowed(read, seen, chunk)).toBe(chunk.length);
        const data = frames.filter((frame) => frame.opcode < CLOSE);
        expect(seen.frames).toEqual(
          data.map(({ opcode, fin, payload }) => ({ opcode, fin, length: payload.length })),
        );
        expect(Buffer.concat(seen.payloads).equals(Buffer.concat(data.map((frame) => frame.payload)))).toBe(
          true,
        );
        expect(seen.controls).toEqual(
          frames
            .filter((frame) => frame.opcode > CLOSE)
            .map(({ opcode, payload }) => ({ opcode, payload: payload.toString('hex') })),
        );
        expect(seen.out.equals(stream)).toBe(true);
        expect(seen.violations).toEqual([]);
      }),
    );
  });

  test('cut pongs are missing from the bytes out, and nothing else is', () => {
    fc.assert(
      fc.property(legalStream, cuts, (frames, places) => {
        const { reader: read, seen } = reader();
        seen.verdict = (opcode) => (opcode === PONG ? CUT : PASS);
        for (const chunk of cut(frames, places)) {
          pushBorrowed(read, seen, chunk);
        }
        const kept = frames.filter((frame) => frame.opcode !== PONG).map((frame) => frame.bytes);
        expect(seen.out.equals(Buffer.concat(kept))).toBe(true);
      }),
    );
  });

  test('a frame that is stopped comes whole when it is offered again', () => {
    fc.assert(
      fc.property(legalStream, cuts, fc.infiniteStream(fc.boolean()), (frames, places, coin) => {
        const stream = Buffer.concat(frames.map((frame) => frame.bytes));
        const { reader: read, seen } = reader();
        seen.verdict = () => (coin.next().value ? STOP : PASS);
        for (const chunk of cut(frames, places)) {
          let rest = chunk;
          for (let tries = 0; tries < 10_000; tries++) {
            const taken = pushBorrowed(read, seen, rest);
            if (taken === rest.length && rest.length > 0) break;
            if (rest.length === 0) break;
            rest = rest.subarray(taken);
          }
        }
        seen.verdict = () => PASS;
        read.push(Buffer.alloc(0));
        expect(seen.out.equals(stream)).toBe(true);
      }),
    );
  });

  test('an interrupt within a frame is told at the end of that frame, as soon as it has come', () => {
    let told = 0;
    fc.assert(
      fc.property(legalStream, cuts, (frames, places) => {
        const ends = endsOf(frames);
        const { reader: read, seen } = reader();
        const asked = new Set<number>();
        let at = 0;
        for (const chunk of cut(frames, places)) {
          if (read.remaining > 0) {
            read.interrupt = true;
            asked.add(ends.find((end) => end > at) as number);
          }
          at += pushBorrowed(read, seen, chunk);
          expect(seen.boundaries).toEqual([...asked].filter((end) => end <= at));
        }
        told += seen.boundaries.length;
      }),
    );
    expect(told).toBeGreaterThan(100);
  });
});

test('random bytes never throw, and nothing is read after a violation', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 }),
      fc.boolean(),
      (chunks, masked) => {
        const { reader: read, seen } = reader({ masked, deflate: true, maxMessage: 1000, maxFragments: 3 });
        for (const chunk of chunks) expect(read.push(Buffer.from(chunk))).toBe(chunk.length);
        expect(seen.violations.length).toBeLessThanOrEqual(1);
        expect(read.done || seen.violations.length === 0).toBe(true);
      },
    ),
    { numRuns: 2000 },
  );
});

describe('violations', () => {
  const long = Buffer.alloc(126);
  test.each<[string, Buffer, Options, Violation]>([
    ['an unmasked frame from a client', bytesOf({ opcode: TEXT }), {}, 'PROTOCOL_ERROR'],
    ['a masked frame from a server', client(TEXT), { masked: false }, 'PROTOCOL_ERROR'],
    ['RSV1 without deflate', client(TEXT, 'x', { rsv: 4 }), {}, 'PROTOCOL_ERROR'],
    ['RSV2', client(TEXT, 'x', { rsv: 2 }), { deflate: true }, 'PROTOCOL_ERROR'],
    ['RSV3', client(TEXT, 'x', { rsv: 1 }), { deflate: true }, 'PROTOCOL_ERROR'],
    ['RSV1 on a ping', client(PING, 'x', { rsv: 4 }), { deflate: true }, 'PROTOCOL_ERROR'],
    [
      'RSV1 on a continuation',
      Buffer.concat([client(TEXT, 'x', { fin: false }), client(CONTINUATION, 'x', { rsv: 4 })]),
      { deflate: true },
      'PROTOCOL_ERROR',
    ],
    ['a reserved data opcode', client(3), {}, 'PROTOCOL_ERROR'],
    ['a reserved control opcode', client(0xb), {}, 'PROTOCOL_ERROR'],
    ['a fragmented ping', client(PING, '', { fin: false }), {}, 'PROTOCOL_ERROR'],
    ['a ping over 125 bytes', client(PING, long), {}, 'PROTOCOL_ERROR'],
    ['a continuation of nothing', client(CONTINUATION), {}, 'PROTOCOL_ERROR'],
    [
      'a message inside a message',
      Buffer.concat([client(TEXT, 'x', { fin: false }), client(TEXT, 'y')]),
      {},
      'PROTOCOL_ERROR',
    ],
    ['a 16-bit length below 126', client(TEXT, 'x', { form: 16 }), {}, 'PROTOCOL_ERROR'],
    ['a 64-bit length below 65536', client(TEXT, 'x', { form: 64 }), {}, 'PROTOCOL_ERROR'],
    [
      'a 64-bit length with its top bit set',
      Buffer.from('82ff800000000000000000000000', 'hex'),
      {},
      'PROTOCOL_ERROR',
    ],
    ['a message over the limit', client(BINARY, 'abcde'), { maxMessage: 4 }, 'MESSAGE_TOO_BIG'],
    [
      'fragments over the limit together',
      Buffer.concat([client(TEXT, 'abc', { fin: false }), client(CONTINUATION, 'de')]),
      { maxMessage: 4 },
      'MESSAGE_TOO_BIG',
    ],
    ['a message of three frames where two may be', inFrames(3), { maxFragments: 2 }, 'MESSAGE_TOO_BIG'],
    ['a fragmented message where none may be', inFrames(2), { maxFragments: 1 }, 'MESSAGE_TOO_BIG'],
    ['a Close of one byte', client(CLOSE, 'x'), {}, 'PROTOCOL_ERROR'],
    ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map(
      (code): [string, Buffer, Options, Violation] => [
        `a Close with code ${code}`,
        client(CLOSE, Buffer.from([code >> 8, code & 255])),
        {},
        'PROTOCOL_ERROR',
      ],
    ),
    ['a Close whose reason is not UTF-8', client(CLOSE, Buffer.from([3, 232, 0xff])), {}, 'INVALID_PAYLOAD'],
  ])('%s', (_name, stream, options, violation) => {
    for (const size of [stream.length, 1]) {
      const { reader: read, seen } = reader(options);
      for (let at = 0; at < stream.length; at += size) read.push(Buffer.from(stream.subarray(at, at + size)));
      expect(seen.violations).toEqual([violation]);
      expect(read.done).toBe(true);
    }
  });

  test('a length beyond 2^53 is too big, even without a limit', () => {
    const { reader: read, seen } = reader();
    read.push(Buffer.from('82ff4000000000000000', 'hex'));
    read.push(Buffer.alloc(4));
    expect(seen.violations).toEqual(['MESSAGE_TOO_BIG']);
  });

  test('is judged from the first two bytes, without waiting for the rest', () => {
    const { reader: read, seen } = reader();
    read.push(Buffer.from([0x83, 0xff]));
    expect(seen.violations).toEqual(['PROTOCOL_ERROR']);
  });

  test('what came before it still goes on', () => {
    const { reader: read, seen } = reader();
    const good = client(TEXT, 'good');
    read.push(Buffer.concat([good, bytesOf({ opcode: TEXT })]));
    expect(seen.out.equals(good)).toBe(true);
  });
});

describe('legal corner cases', () => {
  test.each<[string, Buffer, Options]>([
    ['an empty message', client(TEXT), {}],
    ['RSV1 on a first frame with deflate', client(TEXT, 'x', { rsv: 4 }), { deflate: true }],
    ['a message of exactly the limit', client(BINARY, 'abcd'), { maxMessage: 4 }],
    ['a message of as many frames as may be', inFrames(3), { maxFragments: 3 }],
    ['one such message after another', Buffer.concat([inFrames(3), inFrames(3)]), { maxFragments: 3 }],
    [
      'a control frame between them',
      Buffer.concat([client(TEXT, '', { fin: false }), client(PING), client(CONTINUATION)]),
      { maxFragments: 2 },
    ],
    ['an unfragmented message where none may be fragmented', client(TEXT, 'x'), { maxFragments: 1 }],
    ['an empty Close', client(CLOSE), {}],
    ['a Close with 4999', client(CLOSE, Buffer.from([0x13, 0x87])), {}],
    [
      'a Close with 1014 and a reason',
      client(CLOSE, Buffer.concat([Buffer.from([3, 246]), Buffer.from('é')])),
      {},
    ],
    [
      'an unmasked frame from a server',
      bytesOf({ opcode: BINARY, payload: Buffer.alloc(66_000) }),
      { masked: false },
    ],
  ])('%s passes', (_name, stream, options) => {
    const { reader: read, seen } = reader(options);
    read.push(Buffer.from(stream));
    expect(seen.violations).toEqual([]);
    expect(seen.out.equals(stream)).toBe(true);
  });

  test('bytes after a Close are dropped', () => {
    const { reader: read, seen } = reader();
    const close = client(CLOSE, Buffer.from([3, 232]));
    read.push(Buffer.concat([close, client(TEXT, 'late')]));
    read.push(client(TEXT, 'later'));
    expect(seen.out.equals(close)).toBe(true);
    expect(seen.frames).toEqual([]);
  });
});
