import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { within } from '../support/patience.ts';
import { closeOf, type ServiceHandler } from '../support/poll.ts';
import { startRoute, startScene } from '../support/post.ts';

/** What an HTTP service is shown by the configuration itself, and what it repeats of it in what is no message. */

const SECRET = 'sk-the-services-own';
const ADDED = `headers: { add: { authorization: "Bearer ${SECRET}" } }`;

/** Answers with this status, and the key. */
const telling =
  (status: number): ServiceHandler =>
  ({ headers, body, url }, response) => {
    const said = String(body) === 'tell' || url === '/open' ? headers.authorization : 'you know why';
    response.writeHead(status, { 'content-type': 'text/plain' }).end(`no: ${said}`);
  };

test('a refusal that is the reply to a message tells nothing of the service’s key', async () => {
  const { backend, client, inbox } = await startScene(telling(403), `path: /message, ${ADDED}`);
  client.send('tell');
  client.send('do not');
  expect(await inbox.atLeast(2)).toEqual(['The service answered 403 to a message.', 'no: you know why']);
  expect(backend.requests[0]?.headers.authorization).toBe(`Bearer ${SECRET}`);
});

test('a reply is the service’s own business', async () => {
  const { client, inbox } = await startScene(telling(200), `path: /message, ${ADDED}`);
  client.send('tell');
  expect(await inbox.atLeast(1)).toEqual([`no: Bearer ${SECRET}`]);
});

test.each([`post: ${ADDED}`, `open: headers of the request`])(
  'a refused handshake tells nothing of it (%s)',
  async (where) => {
    const own = `headers: { authorization: "Bearer ${SECRET}" }`;
    const open = `open: { path: /open${where.startsWith('open') ? `, ${own}` : ''} }`;
    const more = where.startsWith('open') ? '' : `, ${ADDED}`;
    const { gateway } = await startRoute(telling(403), `path: /message, ${open}${more}`);
    const client = new WebSocket(gateway.url('/rooms/blue'));
    client.on('error', () => {});
    const [, response] = await within(once(client, 'unexpected-response'), 'the refusal');
    expect([response.statusCode, await text(response)]).toEqual([403, '']);
  },
);

test('the reason of an end tells nothing of it', async () => {
  const cloud = `profile: cloudevents, hub: h, systemEvents: [], ${ADDED}`;
  const { client } = await startScene(telling(500), cloud);
  const closed = closeOf(client);
  client.send('tell');
  expect(await closed).toEqual({ code: 1011, reason: 'The service answered 500 to a message.' });
});
