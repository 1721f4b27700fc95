import { once } from 'node:events';
import type { Socket } from 'node:net';
import { type Duplex, Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { Sink } from '../../src/stream/sink.ts';
import { Source } from '../../src/stream/source.ts';
import { type PairMaker, startPairs, turns, turnsUntil } from '../support/pairs.ts';

/** A source hands on memory that is read over soon: whatever is not through by then must not change. */

/** More than is copied. */
const LARGE = 12 * 1024;

/** A sink that looks at what it was given as late as it is told to, as a socket does when its peer does not read. */
class LateSink extends Writable {
  readonly got: Buffer[] = [];
  #finish: (() => void) | undefined;

  /** `room`: how much may wait before it is full. */
  constructor(room: number) {
    super({ highWaterMark: room });
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#finish = () => {
      this.#finish = undefined;
      this.got.push(Buffer.from(chunk));
      done();
    };
  }
  get isBusy(): boolean {
    return this.#finish !== undefined;
  }
  /** Takes everything, one write a turn. */
  async takeAll(): Promise<string> {
    for (; this.isBusy; await turns(2)) this.#finish?.();
    return Buffer.concat(this.got).toString();
  }
}

let plain: PairMaker;
let secure: PairMaker;
beforeAll(async () => {
  plain = await startPairs('dialled', false);
  secure = await startPairs('dialled', true);
});
afterAll(async () => {
  await plain[Symbol.asyncDispose]();
  await secure[Symbol.asyncDispose]();
});

interface Joined {
  readonly ours: Socket;
  readonly peer: Socket;
  readonly source: Source;
  readonly sink: LateSink;
}

type Take = (source: Source, chunk: Buffer, sink: Sink) => number;

async function join(maker: PairMaker, room: number, take?: Take): Promise<Joined> {
  const sink = new LateSink(room);
  return { ...(await joinTo(sink, maker, take)), sink };
}

async function joinTo(sink: Writable, maker: PairMaker, take?: Take): Promise<Omit<Joined, 'sink'>> {
  const pair = await maker.open();
  onTestFinished(() => pair[Symbol.dispose]());
  const to = new Sink(sink as unknown as Duplex, { stallMs: 60_000, onStall() {} });
  const source: Source = new Source(pair.ours, (chunk) => {
    if (take !== undefined) return take(source, chunk, to);
    to.write(chunk);
    return chunk.length;
  });
  source.feed(to);
  source.start();
  onTestFinished(() => {
    source.discard();
    to.drop();
  });
  return { ...pair, source };
}

/** Another connection of the same gateway, which uses all the memory there is to use again. */
let other: Omit<Joined, 'sink'>;
beforeEach(async () => {
  const promptSink = new Writable({ write: (_chunk, _encoding, done) => done() });
  other = await joinTo(promptSink, plain);
});

async function useMemory(): Promise<void> {
  for (const piece of ['?', '?'.repeat(2 * LARGE), '?'.repeat(4000), '?'.repeat(LARGE)]) {
    const before = other.ours.bytesRead;
    other.peer.write(piece);
    await turnsUntil(() => other.ours.bytesRead === before + piece.length);
    await turns(2);
  }
}

/** Sends a piece and waits until it has been read. */
async function send({ peer, ours }: Joined, piece: string): Promise<void> {
  const before = ours.bytesRead;
  peer.write(piece);
  await turnsUntil(() => ours.bytesRead >= before + piece.length);
  await turns(2);
}

test('a small write that is under way is not written over in later turns', async () => {
  const one = await join(plain, 2 ** 20);
  await send(one, 'first');
  expect(one.sink.isBusy).toBe(true);
  await useMemory();
  expect(await one.sink.takeAll()).toBe('first');
});

test('small writes that wait behind another are not written over in later turns', async () => {
  const one = await join(plain, 2 ** 20);
  for (const piece of ['first', 'second', 'third']) {
    await send(one, piece);
    await useMemory();
  }
  expect(await one.sink.takeAll()).toBe('firstsecondthird');
});

test('what a limit holds back is not written over while it waits', async () => {
  const offered: string[] = [];
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const one = await join(plain, 2 ** 20, (source, chunk) => {
    offered.push(chunk.toString());
    if (offered.length > 1) return chunk.length;
    source.pauseFor(100);
    return 2;
  });
  await send(one, 'abcd');
  await useMemory();
  vi.advanceTimersByTime(99);
  expect(offered).toEqual(['abcd']);
  vi.advanceTimersByTime(1);
  expect(offered).toEqual(['abcd', 'cd']);
});

test('the first large write of a source is not written over by whoever reads next', async () => {
  const one = await join(plain, 2 ** 20);
  const piece = '1'.repeat(LARGE);
  await send(one, piece);
  await useMemory();
  expect(await one.sink.takeAll()).toBe(piece);
});

test.each([
  ['that is full', 1],
  ['that has room', 2 ** 20],
])('a large write to a sink %s is not written over when its source is lost', async (_name, room) => {
  const one = await join(plain, room);
  const piece = '1'.repeat(LARGE);
  await send(one, piece);
  // The first one is a copy: what follows it, no more.
  await one.sink.takeAll();
  await send(one, piece);
  expect([one.sink.isBusy, one.source.isPaused]).toEqual([true, true]);
  const closed = once(one.ours, 'close');
  one.ours.destroy();
  await closed;
  await useMemory();
  expect(await one.sink.takeAll()).toBe(piece + piece);
});

test('a large write is not written over by what follows a stop', async () => {
  const one = await join(plain, 2 ** 20, (source, chunk, sink) => {
    sink.write(chunk);
    if (++reads === 2) source.discard();
    return chunk.length;
  });
  let reads = 0;
  const piece = '1'.repeat(LARGE);
  await send(one, piece);
  await one.sink.takeAll();
  await send(one, piece);
  await send(one, '?'.repeat(LARGE));
  expect(await one.sink.takeAll()).toBe(piece + piece);
});

test('a large write is not written over by records that TLS had opened before it was paused', async () => {
  const one = await join(secure, 2 ** 20);
  const text = Array.from({ length: 60_000 }, (_, at) => `${at} `).join('');
  one.peer.write(text);
  let got = '';
  while (got.length < text.length) {
    await turnsUntil(() => one.sink.isBusy);
    got = await one.sink.takeAll();
  }
  expect(got === text).toBe(true);
});

test('a source that streams goes on when its sink has taken all, though it was never full', async () => {
  const one = await join(plain, 2 ** 20);
  const piece = '1'.repeat(LARGE);
  let expected = '';
  for (let i = 0; i < 5; i++) {
    await send(one, piece);
    expected += piece;
    expect(await one.sink.takeAll()).toBe(expected);
  }
  expect(one.source.isPaused).toBe(false);
});
