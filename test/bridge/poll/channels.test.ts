import { describe, expect, test } from 'vitest';
import { ChannelHub, type Item } from '../../../src/bridge/poll/channels.ts';
import { asGatewayError } from '../../../src/errors.ts';

const text = (data: string): Item => ({
  kind: 'message',
  message: { data: Buffer.from(data), binary: false },
});
const REFRESH: Item = { kind: 'refresh' };

/** A subscriber that keeps what it hears, and says whether it has reached its client. */
function listener(reaches = true) {
  const heard: Item[] = [];
  return {
    heard,
    subscriber: async (item: Item) => {
      heard.push(item);
      return reaches;
    },
  };
}

/** What it throws; undefined if nothing. */
function refusalOf(act: () => void) {
  try {
    act();
  } catch (thrown) {
    return asGatewayError(thrown);
  }
  return undefined;
}

describe('a channel', () => {
  test('brings an item to every session that listens to it, and counts those it has reached', async () => {
    const hub = new ChannelHub();
    const [one, other, unreached, elsewhere] = [listener(), listener(), listener(false), listener()];
    for (const { subscriber } of [one, other, unreached]) hub.join(1_000).subscribe('news', subscriber);
    hub.join(1_000).subscribe('sports', elsewhere.subscriber);
    expect(await hub.publish('news', text('a'))).toBe(2);
    for (const { heard } of [one, other, unreached]) expect(heard).toEqual([text('a')]);
    expect(elsewhere.heard).toEqual([]);
  });

  test('has a prefix to all but who has joined with one, so that equal names are two channels', async () => {
    const hub = new ChannelHub();
    const [one, other] = [listener(), listener()];
    const session = hub.join(1_000, 'a:');
    session.subscribe('news', one.subscriber);
    hub.join(1_000).subscribe('news', other.subscriber);
    expect([await hub.publish('a:news', text('a')), await hub.publish('news', text('b'))]).toEqual([1, 1]);
    expect([one.heard, other.heard]).toEqual([[text('a')], [text('b')]]);
    session.leave();
    expect([await hub.publish('a:news', text('c')), hub.size]).toEqual([0, 1]);
    for (const name of ['', 'x'.repeat(254)])
      expect(() => hub.join(1_000, 'a:').subscribe(name, one.subscriber)).toThrow(
        expect.objectContaining({ code: 'UPSTREAM_INVALID' }),
      );
  });

  test('nobody listens to reaches nobody', async () => {
    expect(await new ChannelHub().publish('news', text('a'))).toBe(0);
  });

  test('is left by its undo, which may be called twice and does not touch a later subscription', async () => {
    const hub = new ChannelHub();
    const session = hub.join(1_000);
    const [first, second] = [listener(), listener()];
    const undo = session.subscribe('news', first.subscriber);
    undo();
    expect(await hub.publish('news', text('a'))).toBe(0);
    expect(hub.size).toBe(0);
    session.subscribe('news', second.subscriber);
    undo();
    expect(await hub.publish('news', text('b'))).toBe(1);
    expect(first.heard).toEqual([]);
  });

  test('has a session once: the last subscriber is the one that hears', async () => {
    const hub = new ChannelHub();
    const session = hub.join(1_000);
    const [first, second] = [listener(), listener()];
    session.subscribe('news', first.subscriber);
    session.subscribe('news', second.subscriber);
    expect(await hub.publish('news', text('a'))).toBe(1);
    expect([first.heard.length, second.heard.length]).toEqual([0, 1]);
  });

  test('does not fail with a session that does', async () => {
    const hub = new ChannelHub();
    const { subscriber } = listener();
    hub.join(1_000).subscribe('news', () => Promise.reject(new Error('broken')));
    hub.join(1_000).subscribe('news', subscriber);
    expect(await hub.publish('news', REFRESH)).toBe(1);
  });
});

describe('a session', () => {
  test('that leaves is in no channel any more, and cannot come back', async () => {
    const hub = new ChannelHub();
    const [session, other] = [hub.join(1_000), hub.join(1_000)];
    const { heard, subscriber } = listener();
    const undo = session.subscribe('news', subscriber);
    session.subscribe('sports', subscriber);
    other.subscribe('news', subscriber);
    session.leave();
    expect(hub.size).toBe(1);
    session.leave();
    undo();
    session.subscribe('news', subscriber);
    expect(await hub.publish('news', text('a'))).toBe(1);
    expect(heard).toHaveLength(1);
    other.leave();
    expect(hub.size).toBe(0);
  });

  test('whose client does not read misses what is beyond its room, and others do not wait for it', async () => {
    const hub = new ChannelHub();
    const heard: Item[] = [];
    const { promise: reads, resolve } = Promise.withResolvers<boolean>();
    hub.join(2_100).subscribe('news', (item) => {
      heard.push(item);
      return reads;
    });
    const quick = listener();
    hub.join(10_000).subscribe('news', quick.subscriber);
    const waiting = [hub.publish('news', text('a')), hub.publish('news', text('b'))];
    expect(await hub.publish('news', text('c'))).toBe(1);
    expect(quick.heard).toHaveLength(3);
    resolve(true);
    expect(await Promise.all(waiting)).toEqual([2, 2]);
    expect(await hub.publish('news', text('d'))).toBe(2);
    expect(heard).toEqual([text('a'), text('b'), text('d')]);
  });

  test('takes one item of any size when none is on its way', async () => {
    const hub = new ChannelHub();
    hub.join(10).subscribe('news', listener().subscriber);
    expect(await hub.publish('news', text('much more than ten bytes'))).toBe(1);
  });

  test('is not waited for beyond the deadline', async () => {
    const hub = new ChannelHub();
    hub.join(550).subscribe('news', () => new Promise(() => {}));
    expect(await hub.publish('news', text('a'), 1)).toBe(0);
  });

  test('listens to a thousand channels at most, with names of at most 255 characters', () => {
    const session = new ChannelHub().join(1_000);
    const { subscriber } = listener();
    for (let number = 1; number < 1_000; number++) session.subscribe(`channel ${number}`, subscriber);
    const undo = session.subscribe('x'.repeat(255), subscriber);
    session.subscribe('channel 1', subscriber);
    expect(refusalOf(() => session.subscribe('one more', subscriber))).toMatchObject({
      code: 'UPSTREAM_INVALID',
      detail: 'a session listens to at most 1000 channels',
    });
    undo();
    session.subscribe('one more', subscriber);
    for (const name of ['', 'x'.repeat(256)])
      expect(refusalOf(() => session.subscribe(name, subscriber))).toMatchObject({
        code: 'UPSTREAM_INVALID',
        detail: 'a channel’s name has 1 to 255 characters',
      });
  });
});
