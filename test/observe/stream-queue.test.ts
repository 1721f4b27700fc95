import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { DroppedLines } from '../../src/observe/dropped-lines.ts';
import { MAX_QUEUED } from '../../src/observe/line-queue.ts';
import { StreamQueue } from '../../src/observe/stream-queue.ts';
import { Sink } from '../support/observe.ts';

function queueTo(stream: Writable) {
  const dropped = new DroppedLines(() => {});
  const queue = new StreamQueue(stream, dropped);
  return {
    queue,
    dropped,
    flush: (withinMs = 10_000) => new Promise<void>((resolve) => queue.flush(withinMs, resolve)),
  };
}

const LINE = `${'x'.repeat(1023)}\n`;

/** A stream that takes nothing. */
function stalled(): Writable {
  return new Writable({ write() {} });
}

test('writes each line at once', async () => {
  const sink = new Sink();
  const { queue, dropped, flush } = queueTo(sink);
  for (const line of ['one\n', 'two\n']) {
    queue.write(line);
    expect(sink.text.endsWith(line)).toBe(true);
  }
  await flush();
  expect(sink.text).toBe('one\ntwo\n');
  expect(dropped.count).toBe(0);
});

test('keeps at most 1 MiB in a stream that stalls, and counts what it drops', () => {
  const stream = stalled();
  const { queue, dropped } = queueTo(stream);
  for (let line = 0; line < 2_000; line += 1) queue.write(LINE);
  expect(stream.writableLength).toBe(MAX_QUEUED);
  expect(dropped.count).toBe(2_000 - 1024);
});

test('gives up a flush at its deadline', async () => {
  const { queue, flush } = queueTo(stalled());
  queue.write(LINE);
  await flush(10);
});

test('a stream that fails, or has ended, harms nobody: its lines are counted', async () => {
  const failing = new Writable({ write: (_chunk, _encoding, done) => done(new Error('disk full')) });
  const { queue, dropped, flush } = queueTo(failing);
  for (const line of ['one\n', 'two\n', 'three\n']) queue.write(line);
  await flush();
  expect(dropped.count).toBe(3);
  queue.write('four\n');
  await flush();
  expect(dropped.count).toBe(4);
  const ended = queueTo(new Sink().end());
  ended.queue.write('late\n');
  await ended.flush();
  expect(ended.dropped.count).toBe(1);
});

test('has one listener on a stream, however many loggers write to it', () => {
  const sink = new Sink();
  for (let logger = 0; logger < 20; logger += 1) queueTo(sink);
  expect(sink.listenerCount('error')).toBe(1);
});
