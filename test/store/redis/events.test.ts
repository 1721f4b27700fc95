import { expect, onTestFinished, test } from 'vitest';
import { Events } from '../../../src/store/redis/events.ts';
import type { RedisLink } from '../../../src/store/redis/link.ts';
import { eventually } from '../../support/patience.ts';

/** How a stream is read, from a Redis that a test makes fail, or forget. */

type Entry = [string, string[]];

function open({ onBegin = async () => {} }: { onBegin?: () => Promise<void> } = {}) {
  const stream: Entry[] = [];
  const redis = { fault: undefined as Error | undefined };
  const heard: string[] = [];
  const ready: (() => void)[] = [];
  let closed = false;
  let wake = () => {};
  async function call(name: string, ...values: (string | number)[]): Promise<unknown> {
    if (redis.fault) throw redis.fault;
    if (name === 'XREVRANGE') return stream.slice(-1);
    const last = String(values.at(-1));
    const next = stream.filter(([id]) => keyOf(id) > keyOf(last));
    if (next.length > 0) return [['test:events', next]];
    if (!values.includes('BLOCK')) return null;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
    if (redis.fault) throw redis.fault;
    return null;
  }
  const link = {
    call,
    tried: Promise.resolve(),
    onReady: (listener: () => void) => void ready.push(listener),
    close() {
      closed = true;
      redis.fault = new Error('closed');
      wake();
    },
  } as unknown as RedisLink;
  const events = new Events({
    link,
    key: 'test:events',
    onEvent: (from, text) => heard.push(`${from}: ${text}`),
    onBegin,
    observer: { failed: (cause) => heard.push(`${cause}`), recovered: () => heard.push('again') },
  });
  onTestFinished(() => events.close());
  return {
    stream,
    heard,
    events,
    isClosed: () => closed,
    add(id: string, text: string) {
      stream.push([id, ['from', 'other', 'text', text]]);
      wake();
    },
    fail() {
      redis.fault = new Error('gone');
      wake();
    },
    recover() {
      redis.fault = undefined;
      for (const listener of ready) listener();
    },
  };
}

const keyOf = (id: string) =>
  id
    .split('-')
    .map((part) => part.padStart(20, '0'))
    .join();

test('what was told before the start is not heard, what is told later is, in its order', async () => {
  const scene = open();
  scene.stream.push(['5-0', ['from', 'other', 'text', 'before']]);
  await scene.events.heard;
  scene.add('5-1', 'a');
  scene.add('12-0', 'b');
  await eventually(() => scene.heard.length === 2);
  expect(scene.heard).toEqual(['other: a', 'other: b']);
});

test('what was told while it failed is heard as soon as there is a connection, and the failure is told once', async () => {
  const scene = open();
  await scene.events.heard;
  scene.fail();
  await eventually(() => scene.heard.length === 1);
  expect(scene.events.isHearing).toBe(false);
  // Still no use.
  for (let attempt = 0; attempt < 3; attempt++) await new Promise((resolve) => setImmediate(resolve));
  scene.add('7-0', 'meanwhile');
  scene.recover();
  await eventually(
    () => scene.heard.length === 3,
    () => scene.heard.join(),
    500,
  );
  expect(scene.heard).toEqual(['Error: gone', 'other: meanwhile', 'again']);
  expect(scene.events.isHearing).toBe(true);
});

test('a stream that ends before what was read is another one: all of it is heard', async () => {
  const scene = open();
  await scene.events.heard;
  scene.add('900-1', 'a');
  await eventually(() => scene.heard.length === 1);
  scene.fail();
  await eventually(() => scene.heard.length === 2);
  scene.stream.splice(0);
  scene.add('100-0', 'b');
  scene.recover();
  await eventually(() => scene.heard.includes('other: b'));
});

test('nothing is read before what may have been missed was', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const scene = open({ onBegin: () => promise });
  await new Promise((next) => setImmediate(next));
  scene.add('7-0', 'a');
  await new Promise((next) => setImmediate(next));
  expect([scene.heard, scene.events.isHearing]).toEqual([[], false]);
  resolve();
  await eventually(() => scene.heard.length === 1);
});

test('closed while it reads, it ends, and says nothing of it', async () => {
  const scene = open();
  await scene.events.heard;
  scene.events.close();
  await new Promise((resolve) => setImmediate(resolve));
  expect([scene.isClosed(), scene.heard]).toEqual([true, []]);
});

test('a stream that cannot be read is told of once, not each time that its end can', async () => {
  const scene = open();
  await scene.events.heard;
  scene.stream.push(['1-1', null as unknown as string[]]);
  scene.add('2-1', 'next');
  for (let round = 0; round < 3; round++) {
    scene.recover();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(scene.heard).toEqual(['Error: what Redis says makes no sense']);
  expect(scene.events.isHearing).toBe(false);
});

test.each(['abc', '', '1', '1-x'])('behind an entry whose id is none it goes on reading: %j', async (id) => {
  const scene = open();
  await scene.events.heard;
  const [bad] = scene.stream.splice(0, 1, [id, ['from', 'other', 'text', 'bad']]);
  expect(bad).toBeUndefined();
  scene.fail();
  await eventually(() => scene.heard.length === 1);
  scene.recover();
  for (let round = 0; round < 3; round++) await new Promise((resolve) => setImmediate(resolve));
  scene.stream.splice(0);
  scene.add('7-0', 'a');
  scene.recover();
  await eventually(() => scene.heard.includes('other: a'));
  expect(scene.heard).not.toContain('other: bad');
});
