import { afterEach, describe, expect, test } from 'vitest';
import { exampleFeed, queryOf } from '../../../support/feeds.ts';
import { closeOf, fixtures, inboxOf, type ServiceHandler, until } from '../../../support/poll.ts';
import { fastClock } from '../../../support/poll-clock.ts';

const { service, harness, undo } = fixtures();
afterEach(undo);

/** Answers the polls one after the other, and holds what comes behind them. */
function inTurn(
  answers: readonly { status?: number; headers?: Record<string, string>; body: unknown }[],
): ServiceHandler {
  let asked = 0;
  return (_, response) => {
    const answer = answers[asked++];
    if (answer === undefined) return;
    const { status = 200, headers = {}, body } = answer;
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
}

describe('etcd, v2', () => {
  const change = (index: number) => ({
    body: {
      action: 'set',
      node: { key: '/k', value: `v${index}`, modifiedIndex: index, createdIndex: index },
    },
  });

  test('waits for the change after the last, by its index', async () => {
    const etcd = await service(inTurn([change(7), change(8), change(12)]));
    const { poll, route } = exampleFeed('etcd', etcd.url);
    const gateway = await harness(poll, { ...fastClock(), route, request: { captures: { key: 'k' } } });
    const inbox = inboxOf(await gateway.connect());
    const nodes = (await inbox.atLeast(3)).map((text) => JSON.parse(text).value);
    await until(() => etcd.requests.length === 4);
    expect(nodes).toEqual(['v7', 'v8', 'v12']);
    expect(etcd.requests.map((request) => queryOf(request).get('waitIndex'))).toEqual([null, '8', '9', '13']);
    expect(etcd.requests[0]?.url).toBe('/v2/keys/k?wait=true&recursive=true');
  });
});

describe('etcd that has cleared what came next', () => {
  test('goes on with what comes from then on', async () => {
    const cleared = {
      errorCode: 401,
      message: 'The event in requested index is outdated and cleared',
      index: 2007,
    };
    const node = (index: number) => ({ body: { action: 'set', node: { key: '/k', modifiedIndex: index } } });
    const answers = [node(7), { status: 400, body: cleared }, node(2008)];
    const etcd = await service(inTurn(answers));
    const { poll, route } = exampleFeed('etcd', etcd.url);
    const gateway = await harness(poll, { ...fastClock(), route, request: { captures: { key: 'k' } } });
    const inbox = inboxOf(await gateway.connect());
    await inbox.atLeast(2);
    await until(() => etcd.requests.length === 4);
    expect(etcd.requests.map((request) => queryOf(request).get('waitIndex'))).toEqual([
      null,
      '8',
      null,
      '2009',
    ]);
  });

  test('and what it refuses for another reason is the end', async () => {
    const etcd = await service(inTurn([{ status: 400, body: { errorCode: 209, message: 'Invalid field' } }]));
    const { poll, route } = exampleFeed('etcd', etcd.url);
    const gateway = await harness(poll, { ...fastClock(), route, request: { captures: { key: 'k' } } });
    expect((await closeOf(await gateway.connect())).code).toBe(1014);
  });
});

describe('CouchDB', () => {
  const change = (seq: string) => ({ seq, id: seq, changes: [] });
  const page = (...seqs: string[]) => ({ body: { results: seqs.map(change), last_seq: seqs.at(-1) } });

  test.each([
    ['from now on', '', 'now'],
    ['from where the client asks', '?since=2-g1AAA', '2-g1AAA'],
  ])('its changes come %s', async (_, query, since) => {
    const couch = await service(inTurn([page('3-x', '4-y'), page('5-z')]));
    const { poll, route } = exampleFeed('couchdb', couch.url);
    const gateway = await harness(poll, {
      ...fastClock(),
      route,
      request: { captures: { database: 'db' } },
    });
    const inbox = inboxOf(await gateway.connect({ path: `/rooms/blue${query}` }));
    const changes = (await inbox.atLeast(3)).map((text) => JSON.parse(text).seq);
    await until(() => couch.requests.length === 3);
    expect(changes).toEqual(['3-x', '4-y', '5-z']);
    expect(couch.requests.map((request) => queryOf(request).getAll('since'))).toEqual([
      [since],
      ['4-y'],
      ['5-z'],
    ]);
  });
});

describe('Consul', () => {
  const health = (index: string, node: string) => ({
    headers: { 'x-consul-index': index },
    body: [{ node }],
  });

  test('tells what has changed, and begins anew when the index does', async () => {
    const answers = [
      health('5', 'a'),
      health('5', 'a'),
      health('7', 'b'),
      health('3', 'c'),
      health('3', 'c'),
    ];
    const consul = await service(inTurn(answers));
    const { poll, route } = exampleFeed('consul', consul.url);
    const gateway = await harness(poll, {
      ...fastClock(),
      route,
      request: { captures: { service: 's' } },
    });
    const inbox = inboxOf(await gateway.connect());
    await inbox.atLeast(3);
    await until(() => consul.requests.length === 6);
    expect(inbox.texts).toEqual(['[{"node":"a"}]', '[{"node":"b"}]', '[{"node":"c"}]']);
    const indices = consul.requests.map((request) => queryOf(request).get('index'));
    expect(indices).toEqual([null, '5', '5', '7', null, '3']);
    expect(queryOf(consul.requests[0] ?? { url: '' }).get('wait')).toBe('60s');
  });
});

test('what has an ETag is polled for changes', async () => {
  const page = (etag: string, body: unknown) => ({ headers: { etag }, body });
  const github = await service(
    inTurn([
      page('"a"', [1]),
      { status: 304, headers: { 'x-poll-interval': '60' }, body: '' },
      page('W/"b"', [2]),
    ]),
  );
  const { poll, route } = exampleFeed('github-events', github.url);
  const captures = { owner: 'o', name: 'n' };
  const { clock, slept } = fastClock();
  const gateway = await harness(poll, { clock, route, request: { captures } });
  const inbox = inboxOf(await gateway.connect());
  expect(await inbox.atLeast(2)).toEqual(['[1]', '[2]']);
  await until(() => github.requests.length === 4);
  expect(slept).toEqual(expect.arrayContaining([60_000]));
  expect(github.requests.map(({ headers }) => headers['if-none-match'])).toEqual([
    undefined,
    '"a"',
    '"a"',
    'W/"b"',
  ]);
});

test('a durable stream comes from its beginning, or from where the client asks, and passes over what is not kept', async () => {
  const page = (next: string, body: unknown) => ({
    headers: { 'stream-next-offset': next, 'stream-cursor': `c${next}`, 'stream-up-to-date': 'true' },
    body,
  });
  for (const [path, first] of [
    ['/rooms/x', '-1'],
    ['/rooms/x?offset=0_9', '0_9'],
  ] as const) {
    const streams = await service(
      inTurn([page('0_10', [1, { a: 2 }]), { status: 410, body: '' }, page('0_20', ['three'])]),
    );
    const { poll, route } = exampleFeed('durable-streams', streams.url);
    const gateway = await harness(poll, { ...fastClock(), route, request: { captures: { stream: 's' } } });
    const inbox = inboxOf(await gateway.connect({ path }));
    expect(await inbox.atLeast(3)).toEqual(['1', '{"a":2}', 'three']);
    await until(() => streams.requests.length === 4);
    expect(streams.requests.map((request) => queryOf(request).getAll('offset'))).toEqual([
      [first],
      ['0_10'],
      ['-1'],
      ['0_20'],
    ]);
    expect(streams.requests.map((request) => queryOf(request).get('cursor'))).toEqual([
      null,
      'c0_10',
      'c0_10',
      'c0_20',
    ]);
  }
});

describe('a durable stream that is closed', () => {
  const OVER = { code: 1000, reason: 'The service has no more messages.' };

  test('ends the connection, behind its last message', async () => {
    const closed = { 'stream-closed': 'true' };
    const streams = await service(
      inTurn([
        { headers: { 'stream-next-offset': '0_1' }, body: ['a'] },
        { headers: { 'stream-next-offset': '0_2', ...closed }, body: ['b'] },
      ]),
    );
    const { poll, route } = exampleFeed('durable-streams', streams.url);
    const gateway = await harness(poll, { ...fastClock(), route, request: { captures: { stream: 's' } } });
    const client = await gateway.connect();
    const inbox = inboxOf(client);
    expect(await closeOf(client)).toEqual(OVER);
    expect(inbox.texts).toEqual(['a', 'b']);
    expect(await gateway.endings[0]).toMatchObject({ code: 1000, by: 'upstream', clean: true });
    expect(streams.requests).toHaveLength(2);
  });

  test('does so as a stream of events, whose control events are no messages', async () => {
    const event = (name: string, data: string) => `event: ${name}\ndata: ${data}\n\n`;
    const answers = [
      event('data', '["a"]') +
        event('control', '{"streamNextOffset":"0_1","streamCursor":"c1","upToDate":true}'),
      event('data', '["b"]') + event('control', '{"streamNextOffset":"0_2","streamClosed":true}'),
    ];
    const streams = await service((_, response) => {
      response
        .writeHead(200, { 'content-type': 'text/event-stream' })
        .end(answers[streams.requests.length - 1]);
    });
    const { poll, route } = exampleFeed('durable-streams', streams.url, 1);
    const gateway = await harness(poll, { ...fastClock(), route, request: { captures: { stream: 's' } } });
    const client = await gateway.connect({ path: '/live/s?offset=now' });
    const inbox = inboxOf(client);
    expect(await closeOf(client)).toEqual(OVER);
    expect(inbox.texts).toEqual(['["a"]', '["b"]']);
    const asked = streams.requests.map((request) => queryOf(request));
    expect(asked.map((query) => [query.get('offset'), query.get('cursor')])).toEqual([
      ['now', null],
      ['0_1', 'c1'],
    ]);
  });
});

test('Dropbox is asked from a cursor in the body of each poll, from the moment of the opening', async () => {
  const answers = [
    { body: { cursor: 'AA"1', path: '' } },
    { body: { entries: [{ name: 'a' }], cursor: 'AA2', has_more: true } },
    { body: { entries: [], cursor: 'AA2', has_more: false } },
    { status: 409, body: { error_summary: 'reset/', error: { '.tag': 'reset' } } },
  ];
  const dropbox = await service(inTurn(answers));
  const { poll, route } = exampleFeed('dropbox', dropbox.url);
  const gateway = await harness(poll, { ...fastClock(), route });
  const client = await gateway.connect();
  const inbox = inboxOf(client);
  expect(await inbox.atLeast(1)).toEqual(['{"name":"a"}']);
  expect((await closeOf(client)).code).toBe(1014);
  const [open, ...polls] = dropbox.requests;
  expect(open?.url).toBe('/2/files/list_folder/get_latest_cursor');
  expect(polls.map(({ method, body }) => [method, JSON.parse(body.toString()).cursor])).toEqual([
    ['POST', 'AA"1'],
    ['POST', 'AA2'],
    ['POST', 'AA2'],
  ]);
});
