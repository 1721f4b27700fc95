import type { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Inbound } from '../../../../src/bridge/tcp/v1/inbound.ts';
import { Sink } from '../../../../src/stream/sink.ts';
import type { TcpMessage } from '../../../../src/tcp-protocol/types.ts';
import { SlowStream } from '../../../support/ends.ts';
import { turns } from '../../../support/pairs.ts';

const STALL_MS = 1_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

function stand(highWaterMark?: number) {
  const stream = new SlowStream(highWaterMark);
  const said: TcpMessage[] = [];
  const onStall = vi.fn();
  const sink = new Sink(stream as unknown as PassThrough, { stallMs: STALL_MS, onStall });
  const inbound = new Inbound({ sink, acknowledges: false, send: (message) => void said.push(message) });
  async function come(bytes: number | string): Promise<void> {
    const piece = typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.alloc(bytes);
    inbound.receive(piece.length);
    inbound.write(piece);
    await turns(2);
  }
  async function take(): Promise<void> {
    stream.takeOne();
    await turns(2);
  }
  return { come, take, said, onStall, sink, inbound, stream };
}

test('a service that always has some left, but takes what came before, has not stalled', async () => {
  const { come, take, onStall, sink } = stand();
  for (let backlog = 0; backlog < 3; backlog++) await come(100);
  await take();
  for (let round = 0; round < 12; round++) {
    await come(100);
    vi.advanceTimersByTime(STALL_MS * 0.25);
    await take();
    // The mark behind what came, which has nothing to write.
    await take();
    expect(sink.isFull).toBe(true);
  }
  expect(onStall).not.toHaveBeenCalled();
  vi.advanceTimersByTime(STALL_MS * 1.1);
  expect(onStall).toHaveBeenCalledOnce();
});

test('credit is given when half a window is out of this process, not before', async () => {
  const { come, take, said } = stand();
  await come(100_000);
  await come(100_000);
  await take();
  expect(said).toEqual([]);
  for (let round = 0; round < 4; round++) await take();
  expect(said).toEqual([{ type: 'WINDOW', credit: 200_000 }]);
});

test('what comes in many pieces while the service is slow waits as one, in its order', async () => {
  const { come, take, stream } = stand();
  await come('a');
  for (const piece of 'bcdefgh') await come(piece);
  expect(stream.writableLength).toBeLessThanOrEqual(2);
  for (let count = 0; count < 6; count++) await take();
  await come('i');
  for (let count = 0; count < 3; count++) await take();
  expect(stream.got.filter((text) => text !== '')).toEqual(['a', 'b', 'cdefgh', 'i']);
});

test('nothing overtakes what waits', async () => {
  const { come, take, stream } = stand();
  for (const piece of 'abc') await come(piece);
  // The service has taken all that was written, which is not known yet.
  stream.takeOne();
  stream.takeOne();
  await come('d');
  for (let count = 0; count < 6; count++) await take();
  expect(stream.got.join('')).toBe('abcd');
});

test('the last byte is behind what waits', async () => {
  const { come, take, stream, sink, inbound } = stand();
  for (const piece of 'abcd') await come(piece);
  inbound.finish();
  sink.finish(() => {});
  for (let count = 0; count < 6; count++) await take();
  expect(stream.got.join('')).toBe('abcd');
  expect(stream.writableFinished).toBe(true);
});

test('a service that takes nothing has stalled, however small the pieces are', async () => {
  const { come, onStall, stream } = stand(64 * 1024);
  for (let count = 0; count < 20; count++) await come(5_000);
  expect(stream.writableLength).toBeLessThan(64 * 1024);
  vi.advanceTimersByTime(STALL_MS * 1.1);
  expect(onStall).toHaveBeenCalledOnce();
});
