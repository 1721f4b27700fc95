import { type PassThrough, Readable, Writable } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Flow } from '../../src/stream/flow.ts';

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

function join(take?: (flow: Flow, chunk: Buffer) => number) {
  const source = new Readable({ read() {} });
  const sink = new SlowSink();
  const seen = { stalls: 0 };
  const flow: Flow = new Flow(source as PassThrough, sink as unknown as PassThrough, {
    stallMs: STALL_MS,
    onStall: () => void seen.stalls++,
    take: (chunk) => {
      if (take) return take(flow, chunk);
      flow.write(chunk);
      return chunk.length;
    },
  });
  return { source, sink, flow, seen };
}

/** What is read in one turn of the loop is written at its end; after the next, it has been. */
async function turn(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
}

test('a full sink stops the reading until it drains', async () => {
  const { source, sink, flow } = join();
  flow.start();
  source.push('one');
  await turn();
  source.push('two');
  await turn();
  expect([sink.got, flow.paused]).toEqual([['one'], true]);
  sink.read();
  await turn();
  expect(sink.got).toEqual(['one', 'two']);
});

test('a sink that stays full is reported once, at the deadline', async () => {
  const { source, flow, seen } = join();
  flow.start();
  source.push('one');
  await turn();
  vi.advanceTimersByTime(STALL_MS - 1);
  expect(seen.stalls).toBe(0);
  vi.advanceTimersByTime(5 * STALL_MS);
  expect(seen.stalls).toBe(1);
});

test('each time the sink drains, the deadline begins anew', async () => {
  const { source, sink, flow, seen } = join();
  flow.start();
  for (let i = 0; i < 5; i++) {
    source.push('more');
    await turn();
    vi.advanceTimersByTime(STALL_MS - 1);
    sink.read();
    await turn();
  }
  expect([sink.got.length, seen.stalls]).toEqual([5, 0]);
});

test('what was not taken is offered again when the wait is over, before anything new', async () => {
  let held = true;
  const offered: string[] = [];
  const { source, flow } = join((self, chunk) => {
    offered.push(chunk.toString());
    if (!held) return chunk.length;
    self.pauseFor(50);
    return 2;
  });
  flow.start();
  source.push('abcd');
  await turn();
  source.push('new');
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
  const { source, flow } = join((self, chunk) => {
    offered.push(chunk.toString());
    if (offered.length < 3) self.pauseFor(50);
    return chunk.length;
  });
  flow.start();
  source.push('all');
  await turn();
  vi.advanceTimersByTime(50);
  vi.advanceTimersByTime(50);
  expect(offered).toEqual(['all', '', '']);
});

test('a sink that is gone holds nothing up, and gets nothing', async () => {
  const { source, sink, flow } = join();
  flow.start();
  source.push('one');
  await turn();
  flow.dropSink();
  source.push('two');
  await turn();
  expect([sink.got, flow.paused, source.readableLength]).toEqual([['one'], false, 0]);
});

test('stopped, it reads the rest away and leaves no timer', async () => {
  const { source, flow } = join();
  flow.start();
  source.push('one');
  await turn();
  flow.pauseFor(500);
  flow.stop();
  source.push('late');
  source.push(null);
  await new Promise((resolve) => source.once('end', resolve));
  expect(vi.getTimerCount()).toBe(0);
});
