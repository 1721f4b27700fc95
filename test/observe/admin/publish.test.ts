import { afterEach, expect, test } from 'vitest';
import { ChannelHub, type Item } from '../../../src/bridge/poll/channels.ts';
import type { Backchannel } from '../../../src/observe/admin/backchannel.ts';
import { type Admin, startAdmin } from '../../../src/observe/admin.ts';
import { createLogger } from '../../../src/observe/log.ts';
import { desks } from '../../support/desks.ts';

const SECRET = 'the-secret-of-all-who-publish-here';
const opened: Admin[] = [];
afterEach(() => Promise.all(opened.splice(0).map((admin) => admin.close())));

/** An admin listener with channels behind it; `listen` lets a session in that keeps what it hears. */
async function start() {
  const hub = new ChannelHub();
  const backchannel: Partial<Backchannel> = { publish: (channel, item) => hub.publish(channel, item) };
  const admin = await startAdmin(
    { host: '127.0.0.1', port: 0, secret: SECRET },
    {
      ready: () => ({ ready: true }),
      metrics: { render: async () => '', contentType: '' },
      ...desks({ backchannel }),
      logger: createLogger({ level: 'silent' }),
    },
  );
  opened.push(admin);
  return {
    hub,
    listen(channel: string): Item[] {
      const heard: Item[] = [];
      hub.join(1_000_000).subscribe(channel, async (item) => {
        heard.push(item);
        return true;
      });
      return heard;
    },
    async publish(body: unknown, { path = '/publish', accept = '*/*' } = {}) {
      const response = await fetch(`http://127.0.0.1:${admin.address?.port}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${SECRET}`, accept },
        body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
      });
      return {
        status: response.status,
        type: response.headers.get('content-type'),
        body: await response.text(),
      };
    },
  };
}

/** One item with a message for WebSockets. */
const news = (message: object, rest: object = {}) => ({
  items: [{ channel: 'news', formats: { 'ws-message': message }, ...rest }],
});
const text = (data: string): Item => ({
  kind: 'message',
  message: { data: Buffer.from(data), binary: false },
});
const binary = (...bytes: number[]): Item => ({
  kind: 'message',
  message: { data: Buffer.from(bytes), binary: true },
});

test('what reaches very many goes out item by item, so that nobody else waits for all of it', async () => {
  const { hub, publish } = await start();
  const turns: number[] = [];
  let turn = 0;
  let isOver = false;
  const count = () => void setImmediate(() => void (++turn && !isOver && count()));
  hub.join(1_000_000).subscribe('news', async () => turns.push(turn) > 0);
  count();
  const items = Array.from({ length: 5 }, (_, n) => news({ content: `${n}` }).items[0]);
  expect(await publish({ items })).toMatchObject({ status: 200 });
  isOver = true;
  expect(new Set(turns).size).toBe(5);
});

test.each(['/publish', '/publish/', '/publish?x=1'])('%s answers as Pushpin does', async (path) => {
  const { listen, publish } = await start();
  const heard = listen('news');
  expect(await publish(news({ content: 'a' }), { path })).toEqual({
    ...{ status: 200, type: 'text/plain; charset=utf-8', body: 'Published\n' },
  });
  expect(heard).toEqual([text('a')]);
});

test('who accepts JSON is told how many connections each item has reached', async () => {
  const { listen, publish } = await start();
  listen('news');
  listen('news');
  listen('sports');
  const items = ['news', 'sports', 'nobody'].map((channel) => ({
    channel,
    formats: { 'ws-message': { content: 'a' } },
  }));
  const { type, body } = await publish({ items }, { accept: 'text/plain, application/json' });
  expect(type).toBe('application/json');
  expect(JSON.parse(body)).toEqual({
    published: [
      { channel: 'news', reached: 2 },
      { channel: 'sports', reached: 1 },
      { channel: 'nobody', reached: 0 },
    ],
  });
});

test.each<[string, object, Item]>([
  ['a text', { content: 'grüße' }, text('grüße')],
  ['an empty text', { content: '' }, text('')],
  ['a text as bytes', { content: 'a', type: 'binary' }, binary(97)],
  ['bytes', { 'content-bin': 'AP8=' }, binary(0, 255)],
  ['bytes that are a text', { 'content-bin': 'YQ==', type: 'text' }, text('a')],
  ['a send by its name', { action: 'send', content: 'a' }, text('a')],
  ['a close', { action: 'close' }, { kind: 'end', end: { code: 1000, reason: '' } }],
  [
    'a close with a code',
    { action: 'close', code: 4001, reason: 'bye' },
    { kind: 'end', end: { code: 4001, reason: 'bye' } },
  ],
  ['a refresh', { action: 'refresh' }, { kind: 'refresh' }],
])('%s is read as it is meant', async (_what, message, expected) => {
  const { listen, publish } = await start();
  const heard = listen('news');
  expect((await publish(news(message))).status).toBe(200);
  expect(heard).toEqual([expected]);
});

test('an item of the older form has its message beside the channel', async () => {
  const { listen, publish } = await start();
  const heard = listen('news');
  await publish({ items: [{ channel: 'news', 'ws-message': { content: 'a' } }] });
  expect(heard).toEqual([text('a')]);
});

test('what is not for WebSockets reaches nobody, and is no mistake', async () => {
  const { listen, publish } = await start();
  const heard = listen('news');
  const items = [
    { channel: 'news', formats: { 'http-stream': { content: 'a' }, 'http-response': { body: 'a' } } },
    { channel: 'news', formats: { 'ws-message': { content: 'a', type: 'ping' } } },
    { channel: 'news', 'http-stream': { content: 'a' } },
  ];
  const { body } = await publish({ items }, { accept: 'application/json' });
  expect(JSON.parse(body).published).toEqual(items.map(() => ({ channel: 'news', reached: 0 })));
  expect(heard).toEqual([]);
});

test('the items of one request keep their order', async () => {
  const { listen, publish } = await start();
  const heard = listen('news');
  const numbers = Array.from({ length: 200 }, (_, number) => String(number));
  const items = numbers.map((content) => ({ channel: 'news', formats: { 'ws-message': { content } } }));
  await publish({ items });
  expect(heard).toEqual(numbers.map(text));
});

test('an item does not wait for the clients of the one before it', async () => {
  const { hub, listen, publish } = await start();
  const slow = Promise.withResolvers<boolean>();
  hub.join(1_000).subscribe('slow', () => slow.promise);
  hub.join(1_000).subscribe('news', async () => {
    slow.resolve(true);
    return true;
  });
  const heard = listen('news');
  const items = ['slow', 'news'].map((channel) => ({ channel, formats: { 'ws-message': { content: 'a' } } }));
  const { body } = await publish({ items }, { accept: 'application/json' });
  expect(JSON.parse(body).published).toMatchObject([{ reached: 1 }, { reached: 2 }]);
  expect(heard).toEqual([text('a')]);
});

test('an item with an id is published once to a channel, and who repeats it is told the same', async () => {
  const { listen, publish } = await start();
  const [heard, other] = [listen('news'), listen('other')];
  const item = news({ content: 'a' }, { id: '1', 'prev-id': '0' });
  const first = await publish(item, { accept: 'application/json' });
  listen('news');
  expect(await publish(item, { accept: 'application/json' })).toEqual(first);
  await publish(news({ content: 'b' }, { id: '2', 'prev-id': 'out of order' }));
  await publish(news({ content: 'c' }, { id: '1', channel: 'other' }));
  await publish(news({ content: 'd' }, { id: null }));
  expect(heard).toEqual([text('a'), text('b'), text('d')]);
  expect(other).toEqual([text('c')]);
});

const MALFORMED = 'BAD_REQUEST: The request is malformed.';

test.each<[string, unknown, string | RegExp]>([
  ['no JSON', '{', `${MALFORMED} the body is not JSON in UTF-8\n`],
  ['no UTF-8', Buffer.from([0x22, 0xff, 0x22]), `${MALFORMED} the body is not JSON in UTF-8\n`],
  ['nothing', '', `${MALFORMED} the body is not JSON in UTF-8\n`],
  ['a list', [], /malformed\. the body: .*expected object/],
  ['no items', {}, /malformed\. items: .*expected array/],
  ['no channel', { items: [{ formats: {} }] }, /malformed\. items\[0\]\.channel: /],
  ['an empty channel', { items: [{ channel: '' }] }, /malformed\. items\[0\]\.channel: /],
  ['too long a channel', { items: [{ channel: 'x'.repeat(256) }] }, /malformed\. items\[0\]\.channel: /],
  ['too long an id', news({ content: 'a' }, { id: 'x'.repeat(256) }), /malformed\. items\[0\]\.id: /],
  [
    'a filter that is to change it',
    news({ content: '%(user)s', 'content-filters': ['var-subst'] }),
    `${MALFORMED} items[0].formats.ws-message.content-filters: there are no filters that change content\n`,
  ],
  ['no content', news({}), `${MALFORMED} items[0]: neither content nor content-bin\n`],
  ['no base64', news({ 'content-bin': '*' }), /malformed\. items\[0\]\.formats\.ws-message\.content-bin: /],
  [
    'bytes that are no text',
    news({ 'content-bin': '/w==', type: 'text' }),
    `${MALFORMED} items[0]: a text that is not UTF-8\n`,
  ],
  [
    'a code that may not be sent',
    news({ action: 'close', code: 1006 }),
    `${MALFORMED} items[0].formats.ws-message.code: expected a close code that may be sent\n`,
  ],
  ['an unknown action', news({ action: 'shout' }), /malformed\. items\[0\]\.formats\.ws-message\.action: /],
  [
    'a content that is no text',
    news({ content: 1 }),
    /malformed\. items\[0\]\.formats\.ws-message\.content: /,
  ],
])('%s is refused with 400 and its place, and nothing is published', async (_what, body, expected) => {
  const { listen, publish } = await start();
  const heard = listen('news');
  const { items = [] } = Object(body);
  const whole = Array.isArray(items) && items.length > 0 ? { items: [...items, { channel: 'news' }] } : body;
  const answer = await publish(whole);
  expect(answer.status).toBe(400);
  expect(answer.body).toMatch(expected);
  expect(heard).toEqual([]);
});

test('more than 1 MiB is refused with 413', async () => {
  const { publish } = await start();
  expect((await publish(`"${'x'.repeat(1024 * 1024 - 2)}"`)).status).toBe(400);
  expect((await publish(`"${'x'.repeat(1024 * 1024 - 1)}"`)).status).toBe(413);
});

test('what is published may name its sender, for subscribers to judge by', async () => {
  const { listen, publish } = await start();
  const heard = listen('news');
  await publish(news({ content: 'a' }, { meta: { sender: 'ann' } }));
  await publish(news({ action: 'refresh' }, { meta: { sender: 'ann' } }));
  expect(heard).toEqual([
    { ...text('a'), meta: { sender: 'ann' } },
    { kind: 'refresh', meta: { sender: 'ann' } },
  ]);
  expect(await publish(news({ content: 'a' }, { meta: { sender: 1 } }))).toMatchObject({ status: 400 });
});
