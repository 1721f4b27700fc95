import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { within } from '../support/patience.ts';
import { closeOf, type ServiceHandler, type ServiceRequest } from '../support/poll.ts';
import { shout, startScene } from '../support/post.ts';

/** `upstream: { post: … }`: each message of a client is a request, and what is answered is the reply. */

describe('where all that is said is the URL', () => {
  test('each message is POSTed, and the body of the answer is the reply', async () => {
    const { backend, client, inbox } = await startScene(shout);
    client.send('hello');
    client.send(Buffer.from('bin'));
    await inbox.atLeast(2);
    expect(inbox.messages).toEqual([
      { data: Buffer.from('HELLO'), binary: false },
      { data: Buffer.from('BIN'), binary: true },
    ]);
    expect(
      backend.requests.map(({ method, url, headers }) => [method, url, headers['content-type']]),
    ).toEqual([
      ['POST', '/message', 'text/plain; charset=utf-8'],
      ['POST', '/message', 'application/octet-stream'],
    ]);
    const [one, two] = backend.requests.map(({ headers }) => headers);
    expect(one?.['x-connection-id']).toMatch(/^\S{8,}$/);
    expect(two?.['x-connection-id']).toBe(one?.['x-connection-id']);
    expect(two?.['idempotency-key']).not.toBe(one?.['idempotency-key']);
  });

  test('no body is no reply', async () => {
    const { client, inbox } = await startScene(({ body }, response) => {
      if (String(body) === 'a') response.writeHead(204).end();
      else if (String(body) === 'b') response.end();
      else response.end('reply');
    });
    for (const text of ['a', 'b', 'c']) client.send(text);
    await inbox.atLeast(1);
    expect(inbox.messages).toEqual([{ data: Buffer.from('reply'), binary: true }]);
  });

  test('a 204 is no reply where others are answered by events', async () => {
    const { client, inbox } = await startScene(({ body }, response) => {
      if (String(body) === 'a') response.writeHead(204).end();
      else response.setHeader('content-type', 'text/event-stream').end('data: reply\n\n');
    }, 'response: sse');
    for (const text of ['a', 'b']) client.send(text);
    expect(await inbox.atLeast(1)).toEqual(['reply']);
  });

  test('messages go one at a time, and 60 replies come in their order', async () => {
    let open = 0;
    let most = 0;
    const { client, inbox } = await startScene((request, response) => {
      most = Math.max(most, ++open);
      setImmediate(() => {
        open--;
        response.setHeader('content-type', 'text/plain').end(request.body);
      });
    });
    const numbers = Array.from({ length: 60 }, (_, index) => String(index));
    for (const number of numbers) client.send(number);
    expect(await inbox.atLeast(60)).toEqual(numbers);
    expect(most).toBe(1);
  });
});

describe('a message that is refused', () => {
  const picky: ServiceHandler = ({ body }, response) => {
    const status = Number(String(body));
    response.writeHead(status, { 'content-type': 'application/json' }).end(`{"status":${status}}`);
  };

  test('is answered with what the service says of it, and the session goes on', async () => {
    const { client, inbox } = await startScene(picky);
    for (const status of [400, 404, 422, 200, 413]) client.send(String(status));
    expect(await inbox.atLeast(5)).toEqual([400, 404, 422, 200, 413].map((status) => `{"status":${status}}`));
    expect(inbox.messages.every(({ binary }) => !binary)).toBe(true);
  });

  test('is passed over where that is said', async () => {
    const { client, inbox } = await startScene(picky, 'refusal: ignore');
    for (const status of [400, 422, 200]) client.send(String(status));
    expect(await inbox.atLeast(1)).toEqual(['{"status":200}']);
  });

  test.each([
    ['refusal: close', 422, 1014],
    ['refusal: relay', 401, 3000],
    ['refusal: relay, codes: { 402: 4402 }', 402, 4402],
  ])('with %s and %i is the end: %i', async (post, status, code) => {
    const { client } = await startScene(picky, post);
    client.send(String(status));
    expect((await closeOf(client)).code).toBe(code);
  });
});

describe('several messages at a time', () => {
  /** Answers the message `last` first, and the others when that is out. */
  function reversed(count: number): ServiceHandler {
    const waiting: (() => void)[] = [];
    return ({ body }, response) => {
      response.setHeader('content-type', 'text/plain');
      waiting.unshift(() => response.end(body));
      if (waiting.length === count) for (const answer of waiting.splice(0)) answer();
    };
  }

  test('are answered in their order', async () => {
    const { client, inbox } = await startScene(reversed(4), 'concurrency: 4');
    for (const text of ['a', 'b', 'c', 'd']) client.send(text);
    expect(await inbox.atLeast(4)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('or as the answers come', async () => {
    let first: ServerResponse | undefined;
    const handler: ServiceHandler = ({ body }, response) => {
      response.setHeader('content-type', 'text/plain');
      if (String(body) === 'slow') first = response;
      else response.end(body);
    };
    const { client, inbox } = await startScene(handler, 'concurrency: 2, order: free');
    for (const text of ['slow', 'b', 'c']) client.send(text);
    expect(await inbox.atLeast(2)).toEqual(['b', 'c']);
    first?.end('slow');
    expect(await inbox.atLeast(3)).toEqual(['b', 'c', 'slow']);
  });
});

describe('an answer that holds more than one message', () => {
  test('is a list of them', async () => {
    const { client, inbox } = await startScene(
      (_, response) =>
        response.end('{"hits":[{"text":"a"},{"text":{"n":12345678901234567890}}]}') && undefined,
      'response: batch, messages: { framing: json-array, at: "json:/hits", item: "json:/text" }',
    );
    client.send('q');
    expect(await inbox.atLeast(2)).toEqual(['a', '{"n":12345678901234567890}']);
  });

  test.each([
    ['response: sse', 'text/event-stream', (text: string) => `data: ${text}\n\n`],
    ['response: ndjson', 'application/x-ndjson', (text: string) => `"${text}"\n`],
  ])('is a stream, with %s, and each comes while it runs', async (post, type, framed) => {
    const answers: ServerResponse[] = [];
    const { client, inbox } = await startScene(({ body }, response) => {
      if (String(body) !== 'first') {
        response.writeHead(200, { 'content-type': type }).end(framed('second'));
        return;
      }
      answers.push(response.writeHead(200, { 'content-type': type }));
      response.write(framed('one'));
    }, post);
    client.send('first');
    client.send('second');
    expect(await inbox.atLeast(1)).toEqual(['one']);
    answers[0]?.write(framed('two'));
    expect(await inbox.atLeast(2)).toEqual(['one', 'two']);
    answers[0]?.end(framed('three'));
    expect(await inbox.atLeast(4)).toEqual(['one', 'two', 'three', 'second']);
  });

  test('is refused as any other where it is a stream', async () => {
    const { client, inbox } = await startScene(
      (_, response) => void response.writeHead(400, { 'content-type': 'text/plain' }).end('no'),
      'response: sse',
    );
    client.send('a');
    expect(await inbox.atLeast(1)).toEqual(['no']);
  });
});

describe('the service is told', () => {
  const told =
    'open: { path: /open, body: \'{"room":"{room}","id":"{connection}"}\', session: "json:/id" }, ' +
    'path: "/m/{session}", ' +
    'close: { path: "/close?code={code}", method: POST, body: \'{"why":"{reason}","n":{seq},"a":"{query.a}"}\' }';

  test('who has come, and who has left and why', async () => {
    const closed = Promise.withResolvers<ServiceRequest>();
    const { backend, client, inbox, gateway } = await startScene((request, response) => {
      response.setHeader('content-type', 'application/json');
      if (request.url.startsWith('/open')) response.end('{"id":"s/1"}');
      else if (request.url.startsWith('/close')) closed.resolve(request);
      response.end('{}');
    }, told);
    client.send('a');
    client.send('b');
    await inbox.atLeast(2);
    client.close(4001, 'had "enough"');
    const { method, url, body } = await within(closed.promise, 'the goodbye');
    expect([method, url, String(body)]).toEqual([
      'POST',
      '/close?code=4001',
      '{"why":"had \\"enough\\"","n":2,"a":"1"}',
    ]);
    const [opened, first] = backend.requests;
    expect([opened?.url, String(opened?.body)]).toEqual([
      '/open?a=1',
      `{"room":"blue","id":"${opened?.headers['x-connection-id']}"}`,
    ]);
    expect(first?.url).toBe('/m/s%2F1');
    await gateway.logged(({ msg }) => msg === 'session ended');
  });
});

test('headers are passed and added', async () => {
  const { backend, client, inbox } = await startScene(
    shout,
    'path: /m, headers: { pass: [user-agent], add: { x-room: "{room}", x-a: "{query.a|0}", x-none: "{query.none}" } }',
  );
  client.send('a');
  await inbox.atLeast(1);
  expect(backend.requests[0]?.headers).toMatchObject({ 'x-room': 'blue', 'x-a': '1' });
  expect(backend.requests[0]?.headers).not.toHaveProperty('x-none');
});
