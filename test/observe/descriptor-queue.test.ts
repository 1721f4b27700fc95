import { closeSync, constants, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { DescriptorQueue } from '../../src/observe/descriptor-queue.ts';
import { DroppedLines } from '../../src/observe/dropped-lines.ts';
import { MAX_QUEUED } from '../../src/observe/line-queue.ts';
import { Fifo } from '../support/fifo.ts';
import { fileWith } from '../support/files.ts';

const PIPE_BYTES = 64 * 1024;

function queueTo(descriptor: number) {
  const dropped = new DroppedLines(() => {});
  const queue = new DescriptorQueue(descriptor, dropped);
  return {
    queue,
    dropped,
    flush: (withinMs = 10_000) => new Promise<void>((resolve) => queue.flush(withinMs, resolve)),
  };
}

function toFifo() {
  const fifo = new Fifo(constants.O_NONBLOCK);
  return { fifo, ...queueTo(fifo.writer) };
}

function toFile(path: string, flags: string) {
  const descriptor = openSync(path, flags);
  onTestFinished(() => closeSync(descriptor));
  return queueTo(descriptor);
}

/** Lines of 1 KiB that tell their number. */
function numbered(number: number): string {
  return `${String(number).padStart(1023, ' ')}\n`;
}

function numbersIn(text: string): number[] {
  return text.split('\n').slice(0, -1).map(Number);
}

/** Takes from the pipe until `done`. */
async function drain(fifo: Fifo, done: Promise<unknown>): Promise<string> {
  let [text, isDone] = ['', false];
  void done.then(() => {
    isDone = true;
  });
  await expect
    .poll(
      () => {
        text += fifo.read();
        return isDone;
      },
      { interval: 5, timeout: 10_000 },
    )
    .toBe(true);
  return text + fifo.read();
}

describe('DescriptorQueue', () => {
  test('writes lines in their order, gathered', async () => {
    const path = await fileWith('');
    const { queue, dropped, flush } = toFile(path, 'a');
    const lines = Array.from({ length: 100 }, (_, number) => numbered(number));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    for (const line of lines.slice(0, 3)) queue.write(line);
    for (let i = 0; i < 5; i++) expect(await readFile(path, 'utf8')).toBe('');
    for (const line of lines.slice(3)) queue.write(line);
    await flush();
    expect(await readFile(path, 'utf8')).toBe(lines.join(''));
    expect(dropped.count).toBe(0);
  });

  test('writes a lone line soon, without being asked', async () => {
    const { fifo, queue } = toFifo();
    queue.write('lone\n');
    await expect.poll(() => fifo.read()).toBe('lone\n');
  });

  test('keeps at most 1 MiB for a reader that is behind, and counts what it drops', async () => {
    const { fifo, queue, dropped, flush } = toFifo();
    for (let number = 0; number < 2_000; number += 1) queue.write(numbered(number));
    expect(dropped.count).toBe(2_000 - MAX_QUEUED / 1024);
    const kept = numbersIn(await drain(fifo, flush()));
    expect(kept).toEqual(Array.from({ length: 1024 }, (_, number) => number));
    queue.write('after\n');
    await flush();
    expect(fifo.read()).toBe('after\n');
    expect(dropped.count).toBe(2_000 - 1024);
  });

  test('counts bytes, not characters', () => {
    const { queue, dropped } = toFifo();
    for (let number = 0; number < 2; number += 1) queue.write(`${'ø'.repeat(300 * 1024)}\n`);
    expect(dropped.count).toBe(1);
  });

  test('on a full disk, drops what fails and tries the next', async () => {
    const { queue, dropped, flush } = toFile('/dev/full', 'w');
    for (const lines of [3, 1]) {
      for (let number = 0; number < lines; number += 1) queue.write(numbered(number));
      await flush();
    }
    expect(dropped.count).toBe(4);
  });

  test('drops what comes while its reader is gone, and no more than that', async () => {
    const { fifo, queue, dropped, flush } = toFifo();
    fifo.closeReader();
    queue.write('lost\n');
    await flush();
    fifo.openReader();
    queue.write('found\n');
    await flush();
    expect(fifo.read()).toBe('found\n');
    expect(dropped.count).toBe(1);
  });

  test('starts anew after a line that broke off', async () => {
    const { fifo, queue, dropped, flush } = toFifo();
    queue.write(`${'x'.repeat(PIPE_BYTES + 1000)}\n`);
    queue.write('lost\n');
    const flushed = flush();
    // When a byte has come, so has all that fits; taking a byte makes no room for more.
    await expect.poll(() => fifo.take(1).length).toBe(1);
    fifo.closeReader();
    await flushed;
    expect(dropped.count).toBe(2);
    fifo.openReader();
    fifo.read();
    for (const line of ['next\n', 'last\n']) {
      queue.write(line);
      await flush();
    }
    expect(fifo.read()).toBe('\nnext\nlast\n');
    expect(dropped.count).toBe(2);
  });

  test('gives up a flush at its deadline, and what it had with it', async () => {
    const { fifo, queue, dropped, flush } = toFifo();
    for (let number = 0; number < PIPE_BYTES / 1024; number += 1) queue.write(numbered(number));
    await flush();
    // The pipe is full: of what follows nothing can be written.
    for (let number = 0; number < 100; number += 1) queue.write(numbered(number));
    await flush(50);
    expect(dropped.count).toBe(100);
    await flush();
    queue.write('after\n');
    const text = await drain(fifo, flush());
    expect(numbersIn(text).slice(0, 64)).toEqual(Array.from({ length: 64 }, (_, number) => number));
    // A write that the system has begun comes to its end: where it has torn a line, the next one begins on a line of its own.
    expect(text).toMatch(/\nafter\n$/);
  });

  test('goes on in another file, with whole lines in each, and gives back the one before', async () => {
    const { fifo, queue, dropped, flush } = toFifo();
    const path = await fileWith('');
    const line = `${'x'.repeat(PIPE_BYTES + 1000)}\n`;
    queue.write(line);
    // When a byte has come, the write is under way, and all of it does not fit.
    let text = '';
    await expect
      .poll(() => {
        text += fifo.take(1).toString();
        return text.length;
      })
      .toBe(1);
    const left = queue.redirect(openSync(path, 'a'));
    queue.write('next\n');
    const flushed = flush();
    text += await drain(fifo, flushed);
    expect(text).toBe(line);
    expect(await readFile(path, 'utf8')).toBe('next\n');
    expect(await left).toBe(fifo.writer);
    expect(dropped.count).toBe(0);
  });

  test('gives back a file that another has replaced before its turn', async () => {
    const { queue, flush } = toFifo();
    const [first, second] = [openSync(await fileWith(''), 'a'), openSync(await fileWith(''), 'a')];
    queue.write(numbered(1).repeat(PIPE_BYTES / 1024));
    const left = [queue.redirect(first), queue.redirect(second)];
    await flush();
    expect(await left[0]).toBe(first);
    closeSync(first);
    closeSync(second);
  });

  test('a flush waits for what was there when it was asked for, not for later lines', async () => {
    const { fifo, queue, flush } = toFifo();
    const order: string[] = [];
    queue.write('first\n');
    const first = flush().then(() => order.push(fifo.read()));
    queue.write('second\n');
    const second = flush().then(() => order.push(fifo.read()));
    await Promise.all([first, second]);
    expect(order.join('')).toBe('first\nsecond\n');
    await flush();
  });
});
