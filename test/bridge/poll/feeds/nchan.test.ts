import type { ServerResponse } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { exampleFeed } from '../../../support/feeds.ts';
import { fixtures, inboxOf, type ServiceRequest } from '../../../support/poll.ts';
import { fastClock } from '../../../support/poll-clock.ts';

const { service, harness, undo } = fixtures();
afterEach(undo);

/** nchan's channel: each message has a second and a number in it, and each poll gets the first behind those it has had. */
function channel(perSecond: number) {
  const messages: { time: string; tag: number; text: string }[] = [];
  let waiting: { request: ServiceRequest; response: ServerResponse } | undefined;

  function publish(text: string): void {
    const second = Math.floor(messages.length / perSecond);
    const time = new Date(Date.UTC(2026, 0, 1) + second * 1000).toUTCString();
    messages.push({ time, tag: messages.length % perSecond, text });
    const poll = waiting;
    waiting = undefined;
    if (poll) subscribe(poll.request, poll.response);
  }

  function subscribe(request: ServiceRequest, response: ServerResponse): void {
    const { 'if-modified-since': time, 'if-none-match': tag } = request.headers;
    const had = messages.findIndex((one) => one.time === time && String(one.tag) === tag);
    const next = messages[had + 1];
    if (next === undefined) {
      waiting = { request, response };
      return;
    }
    const head = {
      'last-modified': next.time,
      etag: String(next.tag),
      vary: 'If-None-Match, If-Modified-Since',
    };
    response.writeHead(200, { 'content-type': 'application/octet-stream', ...head }).end(next.text);
  }

  return { publish, subscribe };
}

test('nchan: of many messages a second, none is lost or doubled', async () => {
  const { publish, subscribe } = channel(40);
  let polls = 0;
  const nginx = await service((request, response) => {
    if (request.method === 'POST') {
      publish(request.body.toString());
      response.writeHead(201).end('queued messages: 1');
    } else if (++polls % 50 === 0) response.writeHead(408).end();
    else subscribe(request, response);
  });
  const { poll, route } = exampleFeed('nchan', nginx.url);
  const gateway = await harness(poll, { ...fastClock(), route });
  const client = await gateway.connect();
  const inbox = inboxOf(client);
  for (let number = 1; number <= 150; number++) publish(`m${number}`);
  await inbox.atLeast(150);
  client.send('said by the client');
  await inbox.atLeast(151);
  const expected = Array.from({ length: 150 }, (_, index) => `m${index + 1}`);
  expect(inbox.texts).toEqual([...expected, 'said by the client']);
  expect(inbox.messages[0]?.binary).toBe(false);
  expect(nginx.requests.map(({ url }) => url)).toContain('/sub/blue');
});
