import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { within } from '../support/patience.ts';
import { closeOf } from '../support/poll.ts';
import { shout, startRoute, startScene } from '../support/post.ts';

/** Answers to posts that are none, and clients that lack what a request is made of. */

describe('an answer that is none ends the session with 1014', () => {
  const endless = (response: ServerResponse) => {
    const piece = 'x'.repeat(1024);
    const more = () => void (response.write(piece) ? setImmediate(more) : response.once('drain', more));
    more();
  };
  const answers: [what: string, post: string, answer: (response: ServerResponse) => void][] = [
    ['a reply without end', '', endless],
    ['a refusal without end', '', (response) => endless(response.writeHead(422))],
    ['an event without end', ', response: sse', endless],
    [
      'a page in place of events',
      ', response: sse',
      (response) => response.setHeader('content-type', 'text/html').end('<p>'),
    ],
    ['a line that is no JSON', ', response: ndjson', (response) => response.end('{"a":\n')],
    ['a redirect', '', (response) => response.writeHead(302, { location: '/elsewhere' }).end()],
    [
      'a text that is no UTF-8',
      '',
      (response) => response.setHeader('content-type', 'text/plain').end(Buffer.from([0xff])),
    ],
    [
      'a body that is cut',
      '',
      (response) => {
        response.writeHead(200, { 'content-length': 10 }).write('x', () => response.destroy());
      },
    ],
  ];

  test.each(answers)('%s', async (_what, post, answer) => {
    const { backend, client, inbox } = await startScene(
      (_, response) => answer(response),
      `responseSize: 4KiB${post}`,
    );
    client.send('a');
    client.send('b');
    expect((await closeOf(client)).code).toBe(1014);
    expect(inbox.texts).toEqual([]);
    expect(backend.requests).toHaveLength(1);
  });
});

test.each([
  ['path: "/m/{query.no}"', '/rooms/blue?a=1'],
  ['path: "/m/{query.a}/x"', '/rooms/blue?a=..'],
  ['path: /m, close: { path: "/{query.no}" }', '/rooms/blue'],
])('with %s the client of %s is refused before the 101', async (post, path) => {
  const { backend, gateway } = await startRoute(shout, post);
  const client = new WebSocket(gateway.url(path), []);
  const refused = new Promise((_, reject) => client.once('error', reject));
  await expect(within(refused, 'the refusal')).rejects.toThrow('Unexpected server response: 400');
  expect(backend.requests).toEqual([]);
});
