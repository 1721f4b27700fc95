import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { SocketReader as AnySocketReader } from '../../src/stream/read-buffers.ts';
import { type Pair, type PairMaker, startPairs, turns, turnsUntil } from '../support/pairs.ts';
import { type Door, watchUserBuffer } from '../support/userbuffer.ts';

/** How many sockets may have a buffer of their own at a time. */
const MAX_BUFFERS = 128;
/** Larger than what is copied; it comes in one read, and in one TLS record. */
const LARGE = 12 * 1024;

let SocketReader: typeof AnySocketReader;

/** A pool of its own for each test. */
beforeEach(async () => {
  vi.resetModules();
  ({ SocketReader } = await import('../../src/stream/read-buffers.ts'));
});

/** A socket reader, and what it has handed on. */
interface Reader {
  readonly socketReader: AnySocketReader;
  received: number;
  readonly bytes: () => Buffer;
  /** Memory of the large chunks that were lent. */
  readonly lent: ArrayBufferLike[];
  /** Large chunks that were not. */
  given: number;
}

/** What a test does with a chunk; returns true if it has kept it. */
type OnChunk = (chunk: Buffer, isBorrowed: boolean, socketReader: AnySocketReader) => unknown;

function read(socket: Socket, onChunk: OnChunk = () => false): Reader {
  const chunks: Buffer[] = [];
  const socketReader = new SocketReader(function take(chunk, isBorrowed) {
    // As a bridge must: what is lent is used up at once.
    chunks.push(Buffer.from(chunk));
    reader.received += chunk.length;
    if (chunk.length > 4096 && isBorrowed) reader.lent.push(chunk.buffer);
    else if (chunk.length > 4096) reader.given++;
    const isKept = onChunk(chunk, isBorrowed, socketReader) === true;
    // What is not kept is read over.
    if (isBorrowed && chunk.length > 4096 && !isKept) chunk.fill(0xee);
  });
  const reader: Reader = {
    socketReader,
    received: 0,
    bytes: () => Buffer.concat(chunks),
    lent: [],
    given: 0,
  };
  socketReader.open(socket);
  socket.resume();
  return reader;
}

/** Bytes that repeat at no power of two, so that a piece out of place shows. */
function pattern(length: number): Buffer {
  return Buffer.alloc(
    length,
    Buffer.from(Array.from({ length: 65_521 }, (_, at) => (at * 167 + (at >> 8)) & 255)),
  );
}

/** Sends it in pieces of these sizes, each after the one before has been read. */
async function dribble(peer: Socket, bytes: Buffer, sizes: readonly number[], reader: Reader): Promise<void> {
  const start = reader.received;
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] as number;
    peer.write(bytes.subarray(at, at + size));
    at = Math.min(bytes.length, at + size);
    await turnsUntil(() => reader.received === start + at);
  }
}

const SHAPES = [
  { shape: 'reused buffers', closed: false },
  { shape: "'data' events", closed: true },
];
const SOCKETS = (['accepted', 'dialled'] as const).flatMap((origin) =>
  [false, true].map((secure) => ({ origin, secure, kind: `${origin}, ${secure ? 'TLS' : 'plain'}` })),
);
const CASES = SHAPES.flatMap((shape) => SOCKETS.map((socket) => ({ ...shape, ...socket })));

describe.each(CASES)('$shape: $kind', ({ origin, secure, closed }) => {
  let maker: PairMaker;
  let door: Door;
  let pair: Pair;

  beforeAll(async () => {
    door = watchUserBuffer({ closed });
    maker = await startPairs(origin, secure);
  });
  afterAll(async () => {
    await maker[Symbol.asyncDispose]();
    door[Symbol.dispose]();
  });
  beforeEach(async () => {
    pair = await maker.open();
  });
  afterEach(() => pair[Symbol.dispose]());

  test('this Node has what the reader looks for: large reads share memory, if the door is open', async () => {
    const before = door.count;
    const reader = read(pair.ours);
    await dribble(pair.peer, pattern(8 * LARGE), [LARGE], reader);
    const memories = new Set(reader.lent);
    // The first one lands where everybody reads, and is copied.
    expect([door.count - before, memories.size, reader.given]).toEqual(closed ? [0, 0, 8] : [1, 1, 1]);
  });

  test.each([
    ['small', 40_000, [1, 5, 125, 3, 1400, 4096]],
    ['large', 3_000_000, [300_000, 65_550, 131_072, 4097, 200_000]],
    ['mixed', 1_500_000, [1, 70_000, 2, 4096, 4097, 12, 131_072, 30, 300_000, 7]],
  ])('%s pieces come whole and in order', async (_name, total, sizes) => {
    const reader = read(pair.ours);
    const bytes = pattern(total);
    await dribble(pair.peer, bytes, sizes, reader);
    expect(reader.bytes().equals(bytes)).toBe(true);
  });

  test('pieces that nobody waits for come whole and in order', async () => {
    const reader = read(pair.ours);
    const bytes = pattern(2_000_000);
    for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7) % 9973)
      pair.peer.write(bytes.subarray(at, at + size));
    await turnsUntil(() => reader.received === bytes.length);
    expect(reader.bytes().equals(bytes)).toBe(true);
  });

  test.each([
    ['a little', 1_000],
    ['more than a stream holds', 1_000_000],
  ])('what had been read before comes first: %s', async (_name, early) => {
    const bytes = pattern(early + 300_000);
    pair.peer.write(bytes.subarray(0, early));
    await turnsUntil(() => pair.ours.readableLength >= Math.min(early, 16_384));
    const reader = read(pair.ours);
    pair.peer.write(bytes.subarray(early));
    await turnsUntil(() => reader.received === bytes.length);
    expect(reader.bytes().equals(bytes)).toBe(true);
  });

  test.each([
    ['streaming', 8 * LARGE],
    ['small messages', 100],
  ])('paused, nothing is handed on; resumed, nothing is missing: %s', async (_name, first) => {
    const bytes = pattern(first + 500_000);
    const reader = read(pair.ours);
    await dribble(pair.peer, bytes.subarray(0, first), [LARGE], reader);
    pair.ours.pause();
    const arrived = new Promise((resolve) => pair.peer.write(bytes.subarray(first, first + 2_000), resolve));
    pair.peer.write(bytes.subarray(first + 2_000));
    await arrived;
    await turns(10);
    expect(reader.received).toBe(first);
    pair.ours.resume();
    await turnsUntil(() => reader.received === bytes.length);
    expect(reader.bytes().equals(bytes)).toBe(true);
  });

  test('paused at every chunk, nothing is missing', async () => {
    const bytes = pattern(1_000_000);
    const reader = read(pair.ours, function onChunk() {
      pair.ours.pause();
      setImmediate(() => pair.ours.resume());
    });
    pair.peer.write(bytes);
    await turnsUntil(() => reader.received === bytes.length);
    expect(reader.bytes().equals(bytes)).toBe(true);
  });

  test.each([100, 500_000])(
    "the end comes behind %i bytes, and 'close' behind our own end",
    async (length) => {
      const bytes = pattern(length);
      const reader = read(pair.ours);
      const ended = once(pair.ours, 'end');
      const closed = once(pair.ours, 'close');
      pair.peer.end(bytes);
      await ended;
      expect(reader.bytes().equals(bytes)).toBe(true);
      pair.ours.end();
      await closed;
    },
  );

  test.each([
    ['idle', 0],
    ['streaming', 4 * LARGE],
  ])('a reset arrives as an error: %s', async (_name, length) => {
    const reader = read(pair.ours);
    await dribble(pair.peer, pattern(length), [LARGE], reader);
    const failed = new Promise<NodeJS.ErrnoException>((resolve) => pair.ours.once('error', resolve));
    const closed = new Promise((resolve) => pair.ours.once('close', resolve));
    // A reset amid what TLS says after its handshake counts as an end.
    await turns(3);
    pair.reset();
    expect((await failed).code).toBe('ECONNRESET');
    await closed;
  });

  test('destroyed while it is being read, it hands on nothing more', async () => {
    const reader = read(pair.ours, () => pair.ours.destroy());
    const closed = new Promise((resolve) => pair.ours.once('close', resolve));
    pair.peer.write(pattern(LARGE));
    await closed;
    const { received } = reader;
    await turns(5);
    // TLS may have had a record open.
    expect([received > 0, reader.received]).toEqual([true, received]);
  });
});

describe('the buffers of streaming sockets', () => {
  let maker: PairMaker;

  beforeAll(async () => {
    maker = await startPairs('dialled', false);
  });
  afterAll(() => maker[Symbol.asyncDispose]());

  /** A socket that streams: with a buffer of its own, if there is one left. */
  async function stream(onChunk?: OnChunk) {
    const pair = await maker.open();
    const reader = read(pair.ours, onChunk);
    await dribble(pair.peer, pattern(2 * LARGE), [LARGE], reader);
    return { ...pair, reader, memory: reader.lent[0] };
  }

  async function destroy({ ours }: Pick<Pair, 'ours'>): Promise<void> {
    const closed = once(ours, 'close');
    ours.destroy();
    await closed;
  }

  test('belong to one socket each', async () => {
    const [one, other] = [await stream(), await stream()];
    expect(one.memory).toBeInstanceOf(ArrayBuffer);
    expect(other.memory).toBeInstanceOf(ArrayBuffer);
    expect(one.memory).not.toBe(other.memory);
  });

  test('are given back by a socket that has gone quiet, and taken again', async () => {
    const one = await stream();
    await dribble(one.peer, pattern(8), [1], one.reader);
    const early = await stream();
    expect(early.memory).not.toBe(one.memory);
    await dribble(one.peer, pattern(1), [1], one.reader);
    const other = await stream();
    expect(other.memory).toBe(one.memory);
    // It streams again, in another one.
    await dribble(one.peer, pattern(2 * LARGE), [LARGE], one.reader);
    expect(one.reader.lent.at(-1)).not.toBe(one.memory);
  });

  test('are not given back between large messages, however small the ones in between', async () => {
    const one = await stream();
    for (let i = 0; i < 4; i++)
      await dribble(one.peer, pattern(LARGE + 5), [1, 1, 1, 1, 1, LARGE], one.reader);
    // Given back, it would come from the pool again: but not before one more copy.
    expect([new Set(one.reader.lent).size, one.reader.given]).toEqual([1, 1]);
  });

  test('serve reads that are too long to be copied, and no others', async () => {
    const one = await stream();
    await dribble(one.peer, pattern(4097), [4097], one.reader);
    expect(one.reader.lent.at(-1)).toBe(one.memory);
    const chunks: ArrayBufferLike[] = [];
    const other = await stream((chunk) => void chunks.push(chunk.buffer));
    await dribble(other.peer, pattern(4096), [4096], other.reader);
    expect(chunks.at(-1)).not.toBe(other.memory);
  });

  test('are given back by a socket that is destroyed', async () => {
    const one = await stream();
    await destroy(one);
    expect((await stream()).memory).toBe(one.memory);
  });

  /** Streams until a large chunk has been kept. */
  async function streamAndKeep() {
    let kept: Buffer | undefined;
    const one = await stream(function keepFirst(chunk, isBorrowed, socketReader) {
      if (!isBorrowed || chunk.length < LARGE || kept !== undefined) return false;
      socketReader.keep();
      kept = chunk;
      return true;
    });
    return { ...one, kept: kept as unknown as Buffer };
  }

  test('are not read over while kept, by nobody, and free once released', async () => {
    const one = await streamAndKeep();
    const before = Buffer.from(one.kept);
    await dribble(one.peer, pattern(4 * LARGE), [LARGE], one.reader);
    const other = await stream();
    expect(one.kept.equals(before)).toBe(true);
    expect([...one.reader.lent.slice(1), other.memory]).not.toContain(one.kept.buffer);
    one.reader.socketReader.release();
    one.reader.socketReader.release();
    expect((await stream()).memory).toBe(one.kept.buffer);
  });

  test('kept by a socket that is destroyed, are nobody’s any more, but their places are free', async () => {
    const all: Buffer[] = [];
    for (let i = 0; i < MAX_BUFFERS + 1; i++) {
      const one = await streamAndKeep();
      all.push(one.kept);
      await destroy(one);
      one.reader.socketReader.release();
    }
    expect(new Set(all.map(({ buffer }) => buffer)).size).toBe(all.length);
    expect(all.map(({ buffer }) => buffer)).not.toContain((await stream()).memory);
  });

  test('are no more than 128; who gets none is read all the same', async () => {
    const streams = [];
    for (let i = 0; i < MAX_BUFFERS + 8; i++) streams.push(await stream());
    const sizes = [LARGE, 3, 70_000];
    const bytes = pattern(100_000);
    await Promise.all(streams.map(({ peer, reader }) => dribble(peer, bytes, sizes, reader)));
    const expected = Buffer.concat([pattern(2 * LARGE), bytes]);
    expect(streams.filter(({ reader }) => !reader.bytes().equals(expected))).toEqual([]);
    const memories = streams.map(({ memory }) => memory);
    expect(new Set(memories).size).toBe(MAX_BUFFERS + 1);
    expect(memories.slice(MAX_BUFFERS)).toEqual(Array(8).fill(undefined));
    // One place that is given back serves another one.
    await destroy(streams[0] as (typeof streams)[number]);
    expect((await stream()).memory).toBe(memories[0]);
  });
});
