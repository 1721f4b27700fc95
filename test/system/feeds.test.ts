import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startEtcd, startNchan } from '../support/feed-servers.ts';
import { exampleFeed } from '../support/feeds.ts';
import { startGateway } from '../support/gateway.ts';
import { inboxOf } from '../support/poll.ts';

/** Services of Debian, behind the examples that say how to reach them. */

const LONG_MS = 60_000;

/** A client of a gateway with the `poll` of an example, and what it receives. */
async function listen(path: string, feed: { poll: object; route: { match: object } }) {
  const route = { name: 'feed', auth: 'none', ...feed.route, upstream: { poll: feed.poll } };
  const gateway = await startGateway(`routes: [${JSON.stringify(route)}]`);
  onTestFinished(() => gateway.close());
  const client = new WebSocket(gateway.url(path));
  onTestFinished(() => client.terminate());
  const inbox = inboxOf(client);
  await once(client, 'open');
  return { gateway, client, inbox };
}

/** Sends requests one after the other, on one connection. */
function requester() {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  return async function ask(method: string, url: string, body: string, headers = {}): Promise<number> {
    const message = request(url, { method, agent, headers: { 'content-length': body.length, ...headers } });
    message.end(body);
    const [answer] = await once(message, 'response');
    await once(answer.resume(), 'end');
    return answer.statusCode;
  };
}

describe('nchan', () => {
  test('10,000 numbered messages, many a second, come once each and in order', async () => {
    const nchan = await startNchan();
    const { client, inbox } = await listen(
      '/rooms/blue',
      exampleFeed('nchan', `http://127.0.0.1:${nchan.port}`),
    );
    const ask = requester();
    for (let number = 1; number <= 10_000; number++)
      await ask('POST', `http://127.0.0.1:${nchan.port}/pub/blue`, String(number));
    await inbox.atLeast(10_000, LONG_MS);
    client.send('the last');
    await inbox.atLeast(10_001, LONG_MS);
    const numbers = Array.from({ length: 10_000 }, (_, index) => String(index + 1));
    expect(inbox.texts).toEqual([...numbers, 'the last']);
  });
});

describe('nchan by its event streams', () => {
  test('5,000 numbered messages come once each and in order', async () => {
    const nchan = await startNchan();
    const { poll, route } = exampleFeed('sse', `http://127.0.0.1:${nchan.port}`);
    const { inbox } = await listen('/ticks/blue', {
      poll: { ...poll, poll: { path: '/events/{symbol}', mode: 'stream' }, send: { path: '/pub/{symbol}' } },
      route,
    });
    const ask = requester();
    for (let number = 1; number <= 5_000; number++)
      await ask('POST', `http://127.0.0.1:${nchan.port}/pub/blue`, String(number));
    await inbox.atLeast(5_000, LONG_MS);
    expect(inbox.texts).toEqual(Array.from({ length: 5_000 }, (_, index) => String(index + 1)));
  });
});

describe('etcd', () => {
  const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

  test('each change of a key comes once', async () => {
    const etcd = await startEtcd();
    const url = `http://127.0.0.1:${etcd.port}`;
    const ask = requester();
    const { inbox } = await listen('/keys/k', exampleFeed('etcd', url));
    let turn = 0;
    // The first poll is on its way: what it brings is the first change that it sees.
    while (inbox.texts.length === 0) await ask('PUT', `${url}/v2/keys/k`, 'value=0', FORM);
    while (turn < 300) await ask('PUT', `${url}/v2/keys/k`, `value=n${++turn}`, FORM);
    const lastOf = () => JSON.parse(inbox.texts.at(-1) ?? '{}').value;
    while (lastOf() !== 'n300') await inbox.atLeast(inbox.texts.length + 1, LONG_MS);
    const values = inbox.texts.map((text) => JSON.parse(text).value).filter((value) => value !== '0');
    expect(values).toEqual(Array.from({ length: 300 }, (_, index) => `n${index + 1}`));
  });

  test('a change that came after 1,000 others of other keys is not waited for in vain', async () => {
    const etcd = await startEtcd();
    const url = `http://127.0.0.1:${etcd.port}`;
    const ask = requester();
    const { poll, route } = exampleFeed('etcd', url);
    const own = (poll as { poll: object }).poll;
    const { gateway, inbox } = await listen('/keys/k', {
      poll: { ...poll, poll: { ...own, hold: '500ms', margin: '100ms' } },
      route,
    });
    while (inbox.texts.length === 0) await ask('PUT', `${url}/v2/keys/k`, 'value=0', FORM);
    for (let other = 1; other <= 1_500; other++) await ask('PUT', `${url}/v2/keys/other`, 'value=1', FORM);
    const isHeard = () => inbox.texts.some((text) => JSON.parse(text).value === 'late');
    // When it has begun to wait for what comes next is not to be seen.
    while (!isHeard()) await ask('PUT', `${url}/v2/keys/k`, 'value=late', FORM);
    expect(gateway.log.some(({ level }) => level === 'error')).toBe(false);
  });
});
