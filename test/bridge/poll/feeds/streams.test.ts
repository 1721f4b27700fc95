import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { exampleFeed, queryOf } from '../../../support/feeds.ts';
import { closeOf, fixtures, inboxOf, until } from '../../../support/poll.ts';
import { fastClock } from '../../../support/poll-clock.ts';

const { service, harness, undo } = fixtures();
afterEach(undo);

const STREAM = { 'content-type': 'text/event-stream' };

/** Writes and, once it is out, cuts the connection. */
function cutAfter(response: ServerResponse, text: string | Buffer): void {
  response.write(text, () => setImmediate(() => response.destroy()));
}

describe('server-sent events', () => {
  const event = (number: number) => `: beat\r\nid: ${number}\r\ndata: no. ${number} é\r\n\r\n`;

  test('come once each, wherever their streams are cut', async () => {
    let asked = 0;
    const ticks = await service(({ headers }, response) => {
      const from = Number(headers['last-event-id'] ?? 0) + 1;
      if (from > 200) return void response.writeHead(200, STREAM).flushHeaders();
      const numbers = Array.from({ length: Math.min(9, 201 - from) }, (_, index) => from + index);
      const body = Buffer.from(numbers.map(event).join(''));
      response.writeHead(200, STREAM);
      if (++asked % 3 === 0) response.end(body);
      else cutAfter(response, body.subarray(0, body.length - (asked % 40)));
      return undefined;
    });
    const { poll, route } = exampleFeed('sse', ticks.url);
    const gateway = await harness(poll, { ...fastClock(), route, request: { captures: { symbol: 'x' } } });
    const inbox = inboxOf(await gateway.connect({ path: '/ticks/x?from=100' }));
    await inbox.atLeast(100);
    await until(() => ticks.requests.at(-1)?.headers['last-event-id'] === '200');
    expect(inbox.texts).toEqual(Array.from({ length: 100 }, (_, index) => `no. ${index + 101} é`));
    expect(ticks.requests[0]).toMatchObject({ url: '/ticks/x', headers: { accept: 'text/event-stream' } });
  });

  test('are messages with all that they say, or a part of it', async () => {
    const news = await service(({ url }, response) => {
      if (news.requests.filter((request) => request.url === url).length > 1) return;
      const body =
        url === '/news' ? 'event: add\nid: 1\ndata: a\n\n' : 'data: {"sequence":7,"payload":{"a":1}}\n\n';
      response.writeHead(200, STREAM).end(body);
    });
    const receive = async (index: number) => {
      const { poll, route } = exampleFeed('sse', news.url, index);
      const gateway = await harness(poll, { ...fastClock(), route });
      return inboxOf(await gateway.connect()).atLeast(1);
    };
    expect(await receive(1)).toEqual(['{"event":"add","id":"1","data":"a"}']);
    expect(await receive(2)).toEqual(['{"a":1}']);
    await until(() => news.requests.at(-1)?.url === '/feed?after=7');
  });

  test('are over when the service says 204', async () => {
    const ticks = await service(({ headers }, response) => {
      if (headers['last-event-id'] === '3') response.writeHead(204).end();
      else response.writeHead(200, STREAM).end(event(1) + event(2) + event(3));
    });
    const { poll, route } = exampleFeed('sse', ticks.url);
    const gateway = await harness(poll, { ...fastClock(), route, request: { captures: { symbol: 'x' } } });
    const client = await gateway.connect();
    const inbox = inboxOf(client);
    expect(await closeOf(client)).toEqual({ code: 1000, reason: 'The service has no more messages.' });
    expect(inbox.texts).toHaveLength(3);
  });

  test('a page in their place is the end', async () => {
    const login = await service(
      (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
    );
    const { poll, route } = exampleFeed('sse', login.url);
    const gateway = await harness(poll, { ...fastClock(), route, request: { captures: { symbol: 'x' } } });
    await gateway.connect();
    const ending = await gateway.endings[0];
    expect(ending).toMatchObject({ code: 1014, error: { code: 'UPSTREAM_INVALID' } });
  });
});

describe('a watch of Kubernetes', () => {
  const added = (version: number) =>
    `{"type":"ADDED","object":{"metadata":{"resourceVersion":"${version}"}}}\n`;
  const GONE = { kind: 'Status', status: 'Failure', reason: 'Expired', code: 410 };

  test('goes on at the last version, and anew where that is gone, within a stream or before it', async () => {
    const answers: ((response: ServerResponse) => void)[] = [
      (response) => response.end(added(5) + added(6)),
      (response) => response.end(`${added(7)}${JSON.stringify({ type: 'ERROR', object: GONE })}\n`),
      (response) => response.end(added(20)),
      (response) => response.writeHead(410).end(JSON.stringify(GONE)),
      (response) => response.end(added(30)),
    ];
    const api = await service((_, response) => answers[api.requests.length - 1]?.(response));
    const { poll, route } = exampleFeed('kubernetes-watch', api.url);
    const { clock, slept } = fastClock();
    const gateway = await harness(poll, { clock, route, request: { captures: { namespace: 'default' } } });
    const inbox = inboxOf(await gateway.connect());
    const versions = (await inbox.atLeast(5)).map((text) => JSON.parse(text).object.metadata.resourceVersion);
    await until(() => api.requests.length === 6);
    expect(versions).toEqual(['5', '6', '7', '20', '30']);
    const asked = api.requests.map((request) => queryOf(request).get('resourceVersion'));
    expect(asked).toEqual([null, '6', null, '20', null, '30']);
    expect(Math.max(...slept)).toBeGreaterThanOrEqual(1000);
  });
});
