import { afterEach, describe, expect, test } from 'vitest';
import { exampleFeed, queryOf } from '../../../support/feeds.ts';
import { closeOf, fixtures, inboxOf, until } from '../../../support/poll.ts';
import { fastClock } from '../../../support/poll-clock.ts';

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
    const gateway = await harness(poll, { ...fastClock(), route });
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

test('a homeserver that does not know the batch any more ends the session: the client begins anew', async () => {
  const homeserver = await service((_, response) => {
    response.writeHead(400).end('{"errcode":"M_UNKNOWN","error":"Unknown since token"}');
  });
  const { poll, route } = exampleFeed('matrix', homeserver.url);
  const gateway = await harness(poll, { ...fastClock(), route });
  const client = await gateway.connect({ path: '/rooms/x?since=s0' });
  expect((await closeOf(client)).code).toBe(1014);
  expect(homeserver.requests).toHaveLength(1);
});

test('what is said to a room of Matrix carries a name that a second try would have too', async () => {
  const homeserver = await service(({ method }, response) => {
    if (method === 'PUT') response.end('{"event_id":"$1"}');
  });
  const { poll, route } = exampleFeed('matrix', homeserver.url);
  const gateway = await harness(poll, {
    ...fastClock(),
    route,
    request: { connectionId: 'c1', captures: { room: '!r' } },
  });
  const client = await gateway.connect();
  for (const text of ['"quoted"', 'two']) client.send(text);
  const puts = () => homeserver.requests.filter(({ method }) => method === 'PUT');
  await until(() => puts().length === 2);
  expect(puts().map(({ url }) => url.split('/send/')[1])).toEqual([
    'm.room.message/c1.1',
    'm.room.message/c1.2',
  ]);
  expect(JSON.parse(String(puts()[0]?.body))).toEqual({ msgtype: 'm.text', body: '"quoted"' });
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
    const gateway = await harness(poll, { ...fastClock(), route });
    const client = await gateway.connect({ path: '/bot?chat=12' });
    const inbox = inboxOf(client);
    await inbox.atLeast(3);
    await until(() => telegram.requests.length === 2);
    expect(inbox.texts[0]).toBe('{"update_id":9007199254740999,"message":{}}');
    expect(queryOf(telegram.requests[1] ?? { url: '' }).get('offset')).toBe('9007199254741000');
    client.send('a "word"');
    await until(() => telegram.requests.length === 3);
    const sent = telegram.requests[2];
    expect(sent?.headers['content-type']).toBe('application/json');
    expect(JSON.parse(String(sent?.body))).toEqual({ chat_id: '12', text: 'a "word"' });
  });
});
