import { type PassThrough, Readable, Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Sink } from '../../src/stream/sink.ts';
import { Source } from '../../src/stream/source.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

const STALL_MS = 1_000;

/** A sink that reads when it is told to. */
class SlowSink extends Writable {
  readonly got: string[] = [];
  #next: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 1 });
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.got.push(chunk.toString());
    this.#next = done;
  }
  read(): void {
    this.#next?.();
  }
}

function join(take?: (source: Source, chunk: Buffer) => number) {
  const socket = new Readable({ read() {} });
  const slow = new SlowSink();
  const seen = { stalls: 0 };
  const sink = new Sink(slow as unknown as PassThrough, {
    stallMs: STALL_MS,
    onStall: () => void seen.stalls++,
  });
  const source: Source = new Source(socket as PassThrough, (chunk) => {
    if (take) return take(source, chunk);
    sink.write(chunk);
    return chunk.length;
  });
  source.feed(sink);
  return { socket, slow, source, sink, seen };
}

/** What is read in one turn of the loop is written at its end; after the next, it has been. */
async function turn(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
}

test('a full sink stops the reading until it drains', async () => {
  const { socket, slow, source } = join();
  source.start();
  socket.push('one');
  await turn();
  socket.push('two');
  await turn();
  expect([slow.got, source.isPaused]).toEqual([['one'], true]);
  slow.read();
  await turn();
  expect(slow.got).toEqual(['one', 'two']);
});

test('where something else bounds what is read, a full sink does not stop it; it still has its deadline', async () => {
  const { socket, slow, source, sink, seen } = join();
  source.feed(sink, true);
  source.start();
  socket.push('one');
  await turn();
  socket.push('two');
  await turn();
  expect([sink.isFull, source.isPaused, slow.writableLength]).toEqual([true, false, 6]);
  vi.advanceTimersByTime(STALL_MS);
  expect(seen.stalls).toBe(1);
});

test('a sink that stays full is reported once, at the deadline', async () => {
  const { socket, source, seen } = join();
  source.start();
  socket.push('one');
  await turn();
  vi.advanceTimersByTime(STALL_MS - 1);
  expect(seen.stalls).toBe(0);
  vi.advanceTimersByTime(5 * STALL_MS);
  expect(seen.stalls).toBe(1);
});

test('each time the sink drains, the deadline begins anew', async () => {
  const { socket, slow, source, seen } = join();
  source.start();
  for (let i = 0; i < 5; i++) {
    socket.push('more');
    await turn();
    vi.advanceTimersByTime(STALL_MS - 1);
    slow.read();
    await turn();
  }
  expect([slow.got.length, seen.stalls]).toEqual([5, 0]);
});

test('what was not taken is offered again when the wait is over, before anything new', async () => {
  let held = true;
  const offered: string[] = [];
  const { socket, source } = join((self, chunk) => {
    offered.push(chunk.toString());
    if (!held) return chunk.length;
    self.pauseFor(50);
    return 2;
  });
  source.start();
  socket.push('abcd');
  await turn();
  socket.push('new');
  await turn();
  vi.advanceTimersByTime(49);
  expect(offered).toEqual(['abcd']);
  held = false;
  vi.advanceTimersByTime(1);
  await turn();
  expect(offered).toEqual(['abcd', 'cd', 'new']);
});

test('a frame that was held back whole is offered again, though no byte is left', async () => {
  const offered: string[] = [];
  const { socket, source } = join((self, chunk) => {
    offered.push(chunk.toString());
    if (offered.length < 3) self.pauseFor(50);
    return chunk.length;
  });
  source.start();
  socket.push('all');
  await turn();
  vi.advanceTimersByTime(50);
  expect(socket.isPaused()).toBe(true);
  vi.advanceTimersByTime(50);
  expect([offered, socket.isPaused()]).toEqual([['all', '', ''], false]);
});

test('a sink that is gone holds nothing up, and gets nothing', async () => {
  const { socket, slow, source, sink } = join();
  source.start();
  socket.push('one');
  await turn();
  sink.drop();
  socket.push('two');
  await turn();
  expect([slow.got, source.isPaused, socket.readableLength]).toEqual([['one'], false, 0]);
});

test('discarding, it reads the rest away and leaves no timer', async () => {
  const { socket, source, sink } = join();
  source.start();
  socket.push('one');
  await turn();
  source.pauseFor(500);
  source.discard();
  sink.drop();
  socket.push('late');
  socket.push(null);
  await new Promise((resolve) => socket.once('end', resolve));
  expect(vi.getTimerCount()).toBe(0);
});

describe('after the end', () => {
  /** Sends pieces of 100 bytes until nobody takes them. */
  async function sendAll(socket: Readable): Promise<void> {
    for (let i = 0; i < 10; i++) {
      socket.push(Buffer.alloc(100));
      await turn();
    }
  }

  test('no more than was allowed is read, and whoever waits is told once', async () => {
    const { socket, slow, source } = join();
    let cuts = 0;
    source.start();
    source.limit(250, () => cuts++);
    slow.read();
    source.discard();
    await sendAll(socket);
    expect([cuts, source.received, socket.isPaused()]).toEqual([1, 300, true]);
  });

  test('what is allowed still goes on to the sink', async () => {
    const { socket, source } = join((_, chunk) => taken.push(chunk.length) && chunk.length);
    const taken: number[] = [];
    source.start();
    source.limit(250, () => {});
    await sendAll(socket);
    expect(taken).toEqual([100, 100]);
  });

  test('a pause that ends reads on to the last byte allowed', async () => {
    const { socket, source } = join((_, chunk) => chunk.length);
    let cuts = 0;
    source.start();
    source.limit(101, () => cuts++);
    socket.push(Buffer.alloc(100));
    await turn();
    source.pauseFor(500);
    vi.advanceTimersByTime(500);
    expect(socket.isPaused()).toBe(false);
    await sendAll(socket);
    expect([cuts, source.received]).toEqual([1, 200]);
  });

  test.each([50, 100])('a pause that ends does not read on: after %i bytes', async (limit) => {
    const { socket, source } = join((_, chunk) => chunk.length);
    source.start();
    source.limit(limit, () => {});
    socket.push(Buffer.alloc(100));
    await turn();
    source.pauseFor(500);
    vi.advanceTimersByTime(500);
    expect(socket.isPaused()).toBe(true);
    await sendAll(socket);
    expect(source.received).toBeLessThanOrEqual(200);
    expect(socket.isPaused()).toBe(true);
  });
});
