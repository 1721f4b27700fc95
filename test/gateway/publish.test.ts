import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { ChannelHub, type Item, type SessionChannels } from '../../src/bridge/poll/channels.ts';
import type { SessionRecord } from '../../src/observe/index.ts';
import type { Session } from '../../src/session/session.ts';
import { eventually, within } from '../support/patience.ts';
import { closeOf, inboxOf } from '../support/poll.ts';
import { PUSH_SECRET, startPushing } from '../support/push.ts';

/** A service reaches all clients of a channel at once, whatever it is spoken with: here the test listens for its sessions. */

let join = vi.spyOn(ChannelHub.prototype, 'join');
beforeEach(() => {
  join = vi.spyOn(ChannelHub.prototype, 'join');
});
afterEach(() => join.mockRestore());

/** Makes a session take what is published to its channels. */
function listen(session: Session, channels: readonly string[]): void {
  const joined = join.mock.results.at(-1)?.value as SessionChannels;
  async function take(item: Item): Promise<boolean> {
    if (item.kind === 'message') return (await session.push(item.message)) === true;
    if (item.kind === 'end') session.end(item.end);
    return true;
  }
  for (const channel of channels) joined.subscribe(channel, take);
}

async function startPublishing() {
  const { ask, gateway } = await startPushing({ queueSize: '1MiB' });
  return {
    gateway,
    async connect(...channels: string[]) {
      const opened = new Promise<SessionRecord>((resolve) => gateway.gateway.on('session', resolve));
      const client = new WebSocket(gateway.url('/chat'));
      onTestFinished(() => client.terminate());
      const inbox = inboxOf(client);
      await within(once(client, 'open'), 'an open WebSocket');
      listen((await opened) as Session, channels);
      return { client, inbox };
    },
    /** Publishes `ws-message`s; resolves with how many connections each has reached. */
    async publish(...items: [channel: string, message: object][]): Promise<number[]> {
      const body = items.map(([channel, message]) => ({ channel, formats: { 'ws-message': message } }));
      const answer = await ask('/publish/', {
        method: 'POST',
        headers: { authorization: `Bearer ${PUSH_SECRET}`, accept: 'application/json' },
        body: JSON.stringify({ items: body }),
      });
      const { published } = (await answer.json()) as { published: { reached: number }[] };
      return published.map(({ reached }) => reached);
    },
  };
}

describe('what is published', () => {
  test('comes to all who listen, in order, and its service is told how many they are', async () => {
    const { gateway, connect, publish } = await startPublishing();
    const both = await connect('news', 'sports');
    const one = await connect('news');
    const none = await connect();
    const long = 'x'.repeat(200_000);
    const reached = await publish(
      ['news', { content: 'grüße' }],
      ['sports', { 'content-bin': 'AP8=' }],
      ['nobody', { content: 'x' }],
      ['news', { content: long }],
      ['news', { content: 'last' }],
    );
    expect(reached).toEqual([2, 1, 0, 2, 2]);
    expect(await one.inbox.atLeast(3)).toEqual(['grüße', long, 'last']);
    await both.inbox.atLeast(4);
    expect(both.inbox.messages[1]).toEqual({ data: Buffer.from([0, 255]), binary: true });
    expect(none.inbox.texts).toEqual([]);
    expect(await gateway.metrics()).toContain(
      'sallyport_pushes_total{way="channel",outcome="delivered"} 7\n',
    );
  });

  test('may close all who listen', async () => {
    const { connect, publish } = await startPublishing();
    const all = [await connect('news'), await connect('news')];
    const closed = all.map(({ client }) => closeOf(client));
    expect(await publish(['news', { action: 'close', code: 4001, reason: 'over' }])).toEqual([2]);
    for (const ended of closed) expect(await ended).toEqual({ code: 4001, reason: 'over' });
  });
});

test('who has gone is in no channel any more', async () => {
  const { gateway, connect, publish } = await startPublishing();
  const [gone, there] = [await connect('news'), await connect('news')];
  gone.client.terminate();
  await eventually(() => gateway.gateway.connections === 1);
  expect(await publish(['news', { content: 'x' }])).toEqual([1]);
  there.client.close();
  await eventually(() => gateway.gateway.connections === 0);
  expect(await publish(['news', { content: 'x' }])).toEqual([0]);
  expect(await gateway.metrics()).toContain('sallyport_pushes_total{way="channel",outcome="gone"} 0\n');
});
