import { afterEach, describe, expect, test } from 'vitest';
import { exampleFeed, instantClock, queryOf } from '../../../support/feeds.ts';
import { fixtures, inboxOf, until } from '../../../support/poll.ts';

const { service, harness, undo } = fixtures();
afterEach(undo);

describe('Matrix', () => {
  test('tells of rooms where something happened, and asks from the last batch on', async () => {
    const answers = [
      { next_batch: 's1', rooms: { join: { '!a': 1 } }, presence: {} },
      { next_batch: 's2', presence: {} },
      { next_batch: 's3', rooms: { join: { '!b': 2 } } },
    ];
    const homeserver = await service((_, response) => {
      const answer = answers[homeserver.requests.length - 1];
      if (answer) response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
    const { poll, route } = exampleFeed('matrix', homeserver.url);
    const gateway = await harness(poll, { ...instantClock(), route });
    const inbox = inboxOf(await gateway.connect({ path: '/rooms/x?since=s0' }));
    expect(await inbox.atLeast(2)).toEqual(['{"join":{"!a":1}}', '{"join":{"!b":2}}']);
    await until(() => homeserver.requests.length === 4);
    expect(homeserver.requests.map((request) => queryOf(request).get('since'))).toEqual([
      's0',
      's1',
      's2',
      's3',
    ]);
  });
});

describe('Telegram', () => {
  test('gets what comes after the greatest update, and the updates once', async () => {
    const updates = [9_007_199_254_740_993n, 9_007_199_254_740_994n, 9_007_199_254_740_999n];
    const telegram = await service(({ method, url }, response) => {
      if (method === 'POST') return void response.end('{"ok":true,"result":{}}');
      const offset = BigInt(queryOf({ url }).get('offset') ?? 0);
      // The largest stands first: it is what counts, not where it stands.
      const left = updates.filter((id) => id >= offset).reverse();
      if (left.length === 0) return undefined;
      const result = left.map((id) => `{"update_id":${id},"message":{}}`).join();
      return void response.end(`{"ok":true,"result":[${result}]}`);
    });
    const { poll, route } = exampleFeed('telegram', telegram.url);
    const gateway = await harness(poll, { ...instantClock(), route });
    const client = await gateway.connect();
    const inbox = inboxOf(client);
    await inbox.atLeast(3);
    await until(() => telegram.requests.length === 2);
    expect(inbox.texts[0]).toBe('{"update_id":9007199254740999,"message":{}}');
    expect(queryOf(telegram.requests[1] ?? { url: '' }).get('offset')).toBe('9007199254741000');
    client.send('{"chat_id":1,"text":"hi"}');
    await until(() => telegram.requests.length === 3);
    expect(telegram.requests[2]?.headers['content-type']).toBe('application/json');
  });
});
