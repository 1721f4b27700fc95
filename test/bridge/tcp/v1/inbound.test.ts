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

function stand() {
  const stream = new SlowStream();
  const said: TcpMessage[] = [];
  const onStall = vi.fn();
  const sink = new Sink(stream as unknown as PassThrough, { stallMs: STALL_MS, onStall });
  const inbound = new Inbound({ sink, acknowledges: false, send: (message) => void said.push(message) });
  async function come(bytes: number): Promise<void> {
    inbound.receive(bytes);
    sink.write(Buffer.alloc(bytes));
    inbound.written();
    await turns(2);
  }
  async function take(): Promise<void> {
    stream.takeOne();
    await turns(2);
  }
  return { come, take, said, onStall, sink };
}

test('a service that always has some left, but takes what came before, has not stalled', async () => {
  const { come, take, onStall, sink } = stand();
  for (let backlog = 0; backlog < 3; backlog++) await come(100);
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
