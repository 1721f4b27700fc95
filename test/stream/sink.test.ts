import { once } from 'node:events';
import { type PassThrough, Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Feeder, Sink } from '../../src/stream/sink.ts';
import { connection, SlowStream } from '../support/ends.ts';
import { startPairs, turns, turnsUntil } from '../support/pairs.ts';
import { within } from '../support/patience.ts';

const STALL_MS = 1_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** A sink on a stream that takes a write only when it is told to, and who feeds it. */
function stand() {
  const stream = new SlowStream();
  const seen: string[] = [];
  const sink = new Sink(stream as unknown as PassThrough, {
    stallMs: STALL_MS,
    onStall: () => void seen.push('stall'),
  });
  const feeder: Feeder = {
    onFull: () => void seen.push('full'),
    onRoom: () => void seen.push('room'),
    onDrain: () => void seen.push('drain'),
  };
  sink.fedBy(feeder);
  return { stream, sink, seen };
}

const bytes = (text: string) => Buffer.from(text);

/** The stream takes its write, and whoever waits for that hears of it. */
async function take(stream: SlowStream): Promise<void> {
  stream.takeOne();
  await turns(2);
}

describe('writes', () => {
  test('wait for the end of the turn, and go out in their order', async () => {
    const { ours, far } = connection();
    const sink = new Sink(ours, { stallMs: STALL_MS, onStall() {} });
    sink.write(bytes('one '));
    sink.write(bytes('two '));
    expect(ours.writableLength).toBe(0);
    sink.flush();
    sink.write(bytes('three'));
    await turns(3);
    expect(far.got.toString()).toBe('one two three');
  });

  test('are gathered to one', async () => {
    const { ours } = connection();
    const sink = new Sink(ours, { stallMs: STALL_MS, onStall() {} });
    const cork = vi.spyOn(ours, 'cork');
    sink.write(bytes('one'));
    sink.flush();
    expect(cork).not.toHaveBeenCalled();
    sink.write(bytes('two'));
    sink.write(bytes('three'));
    sink.flush();
    expect([cork.mock.calls.length, ours.writableCorked]).toEqual([1, 0]);
  });

  test('go out at once where their memory is read over next, behind what waits', async () => {
    const { ours, far } = connection();
    const sink = new Sink(ours, { stallMs: STALL_MS, onStall() {} });
    sink.write(bytes('one '));
    sink.writesAtOnce = true;
    sink.write(bytes('two'));
    expect(ours.writableLength + far.stream.readableLength).toBeGreaterThan(0);
    await turns(3);
    expect(far.got.toString()).toBe('one two');
  });

  test('behind others keep a copy of what they were given', async () => {
    const { stream, sink } = stand();
    sink.write(bytes('first'));
    sink.flush();
    const reused = bytes('second');
    sink.write(reused);
    sink.flush();
    reused.fill('x');
    await take(stream);
    expect(stream.got).toEqual(['first', 'second']);
  });
});

describe('full', () => {
  test('it is not of a write that goes out whole, however long', () => {
    const stream = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => done() });
    const sink = new Sink(stream as unknown as PassThrough, { stallMs: STALL_MS, onStall() {} });
    sink.write(bytes('two writes, '));
    sink.write(bytes('each more than one byte'));
    sink.flush();
    expect(sink.isFull).toBe(false);
  });

  test('until all is out: who feeds it stops, hears of the drain, then of room', async () => {
    const { stream, sink, seen } = stand();
    sink.write(bytes('one'));
    sink.write(bytes('two'));
    sink.flush();
    expect([sink.isFull, sink.isBusy, seen]).toEqual([true, true, ['full']]);
    await take(stream);
    expect(seen).toEqual(['full']);
    await take(stream);
    expect([sink.isFull, sink.isBusy, seen]).toEqual([false, false, ['full', 'drain', 'room']]);
  });

  test('it is not, where long writes have gone out whole', async () => {
    await using pairs = await startPairs('dialled', false);
    using pair = await pairs.open();
    const sink = new Sink(pair.ours, { stallMs: STALL_MS, onStall() {} });
    // Of writes that are gathered it is said that there is no room, before any of them has gone.
    sink.write(Buffer.alloc(pair.ours.writableHighWaterMark));
    sink.write(bytes('more'));
    sink.flush();
    expect([pair.ours.writableLength, sink.isFull]).toEqual([0, false]);
  });

  test('it can be made so, however little is on its way', async () => {
    const { stream, sink, seen } = stand();
    sink.fillUp();
    sink.fillUp();
    expect([sink.isFull, seen]).toEqual([true, ['full']]);
    await take(stream);
    expect([sink.isFull, seen]).toEqual([false, ['full', 'drain', 'room']]);
  });

  test('until when it was last is known', async () => {
    const { stream, sink } = stand();
    expect(sink.fullUntil).toBe(Number.NEGATIVE_INFINITY);
    sink.write(bytes('one'));
    sink.flush();
    vi.advanceTimersByTime(100);
    expect(sink.fullUntil).toBe(performance.now());
    await take(stream);
    const until = performance.now();
    vi.advanceTimersByTime(100);
    expect(sink.fullUntil).toBe(until);
  });
});

describe('a stall', () => {
  test('is told once, when nothing has been taken for so long', async () => {
    const { sink, seen } = stand();
    sink.write(bytes('one'));
    sink.flush();
    vi.advanceTimersByTime(STALL_MS - 1);
    expect(seen).toEqual(['full']);
    vi.advanceTimersByTime(1);
    expect(seen).toEqual(['full', 'stall']);
    vi.advanceTimersByTime(10 * STALL_MS);
    expect(seen).toEqual(['full', 'stall']);
  });

  test('is counted anew each time there was room, with one timer for all', async () => {
    const { stream, sink, seen } = stand();
    for (let i = 0; i < 3; i++) {
      sink.write(bytes('more'));
      sink.flush();
      expect(vi.getTimerCount()).toBe(1);
      vi.advanceTimersByTime(STALL_MS - 1);
      await take(stream);
    }
    expect(seen).not.toContain('stall');
    vi.advanceTimersByTime(STALL_MS);
    expect([seen.includes('stall'), vi.getTimerCount()]).toEqual([false, 0]);
  });

  test('is none of a sink that is gone', () => {
    const { sink, seen } = stand();
    sink.write(bytes('one'));
    sink.flush();
    sink.drop();
    expect(vi.getTimerCount()).toBe(0);
    expect([sink.isFull, sink.isOpen, seen]).toEqual([false, false, ['full', 'room']]);
  });
});

describe('whoever waits until all is out', () => {
  test('need not wait where nothing is on its way', () => {
    const { sink } = stand();
    const out = vi.fn();
    sink.whenOut(out);
    expect(out).toHaveBeenCalledWith();
  });

  test('hears of it when it is, what waited for the end of the turn included', async () => {
    const { stream, sink } = stand();
    const out = vi.fn();
    sink.write(bytes('one'));
    sink.whenOut(out);
    await turns(2);
    expect([stream.got, out.mock.calls.length]).toEqual([['one'], 0]);
    await take(stream);
    await take(stream);
    expect(out.mock.calls).toEqual([[null]]);
  });

  test('hears of an error where it never will be', async () => {
    await using pairs = await startPairs('dialled', false);
    using pair = await pairs.open();
    const sink = new Sink(pair.ours, { stallMs: STALL_MS, onStall() {} });
    const out = vi.fn();
    sink.write(Buffer.alloc(64 * 2 ** 20));
    sink.whenOut(out);
    await turns(5);
    expect(out).not.toHaveBeenCalled();
    pair.ours.destroy();
    expect([pair.ours.writableLength > 0, sink.isBusy]).toEqual([true, false]);
    await turnsUntil(() => out.mock.calls.length > 0);
    expect(out.mock.calls[0]?.[0]).toBeInstanceOf(Error);
  });
});

describe('the end', () => {
  test('dropped, it writes nothing any more; what was written goes out', async () => {
    const { stream, sink } = stand();
    sink.write(bytes('written'));
    sink.flush();
    sink.write(bytes('waits'));
    sink.drop();
    sink.write(bytes('late'));
    sink.writesAtOnce = true;
    sink.write(bytes('late'));
    sink.flush();
    sink.fillUp();
    expect(sink.isFull).toBe(false);
    await take(stream);
    await take(stream);
    expect(stream.got).toEqual(['written']);
  });

  test('ended, it writes what waits, and a FIN behind it', async () => {
    const { ours, far } = connection();
    const sink = new Sink(ours, { stallMs: STALL_MS, onStall() {} });
    sink.write(bytes('the last words'));
    sink.end();
    sink.write(bytes('late'));
    await turns(5);
    expect([far.got.toString(), far.hasEnded, ours.destroyed]).toEqual(['the last words', true, false]);
  });

  test('half-closed, what was written still has its deadline', async () => {
    const { stream, sink, seen } = stand();
    const out = vi.fn();
    sink.write(bytes('the last words'));
    sink.finish(out);
    vi.advanceTimersByTime(STALL_MS);
    expect([seen, out.mock.calls.length]).toEqual([['full', 'stall'], 0]);
    await take(stream);
    expect([seen, out.mock.calls.length]).toEqual([['full', 'stall', 'room'], 1]);
    expect([sink.isFull, stream.writableFinished, sink.isOpen]).toEqual([false, true, true]);
  });

  test('an ended stream is destroyed once all is out, not before', async () => {
    const { stream, sink } = stand();
    sink.write(bytes('the last words'));
    sink.end();
    sink.destroyWhenOut(0);
    await turns(3);
    expect(stream.destroyed).toBe(false);
    await take(stream);
    expect([stream.destroyed, stream.writableFinished]).toEqual([true, true]);
  });

  test('one on which all is out is destroyed at once', async () => {
    const { ours, far } = connection();
    onTestFinished(() => void far.stream.destroy());
    const sink = new Sink(ours, { stallMs: STALL_MS, onStall() {} });
    sink.end();
    await within(once(ours, 'finish'), 'the FIN');
    expect(ours.destroyed).toBe(false);
    sink.destroyWhenOut(0);
    expect(ours.destroyed).toBe(true);
  });
});
