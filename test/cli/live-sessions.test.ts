import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type SessionOptions, sessionTrials } from '../../src/cli/live/sessions.ts';
import { parseConfig } from '../../src/config/load.ts';
import { createUpstreamContext } from '../../src/upstream/context.ts';
import { folderWith, sallyport } from '../support/cli.ts';
import { type ServiceHandler, startService, type TestService } from '../support/poll.ts';
import { freePort } from '../support/ports.ts';

/** `check --live` of sessions with HTTP services that are not there, not as configured, or well. */

/** A configuration with one route, whose upstream is given as lines of YAML. */
function gate(upstream: string): string {
  const lines = upstream.trim().split('\n');
  return `listeners: [{ host: 127.0.0.1, port: 8080 }]
routes:
  - name: feed
    match: { path: "/rooms/{room}" }
    auth: none
    upstream:
${lines.map((line) => `      ${line}`).join('\n')}
`;
}

const ISSUERS = `issuers:
  main: { issuer: "https://id.example/", audience: a, algorithms: [ES256], jwks: "https://id.example/keys" }
`;

/** What is told of the session, line by line without how long anything took; and what the service was asked for in it. */
interface Told {
  readonly code: number;
  readonly lines: readonly string[];
}

async function live(text: string, ...options: string[]): Promise<Told> {
  const folder = await folderWith({ 'gate.yaml': text });
  const { code, out } = await sallyport(['check', '--live', ...options, join(folder, 'gate.yaml')]);
  const session = out.slice(out.indexOf('SESSION'));
  return { code, lines: linesOf(session.replaceAll(`${folder}/`, '')) };
}

function linesOf(text: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().replace(/ \(\d+ ms\)/, ''));
}

/** The same without the rest of the check, given up after `ms`. */
async function within(ms: number, text: string, options: Partial<SessionOptions> = {}): Promise<Told> {
  const { config, locate } = parseConfig(text);
  const context = createUpstreamContext();
  onTestFinished(() => context.resolver.close());
  const given = { file: 'gate.yaml', locate, message: undefined, ...options };
  const [trial] = sessionTrials(config, context, given);
  const outcome = await trial?.run(AbortSignal.timeout(ms));
  return { code: outcome?.isGood ? 0 : 1, lines: linesOf(outcome?.lines.join('\n') ?? '') };
}

async function service(handler: ServiceHandler): Promise<TestService> {
  const started = await startService(handler);
  onTestFinished(started.stop);
  return started;
}

const json =
  (status: number, value: unknown): ServiceHandler =>
  (_request, response) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));

/** Opens sessions, and closes them; the poll is answered by `poll`. */
function sessions(poll: ServiceHandler): ServiceHandler {
  return function handle(request, response) {
    if (request.method === 'POST' && request.url.startsWith('/v1/sessions'))
      return json(201, { id: 's1' })(request, response);
    if (request.method === 'DELETE') return void response.writeHead(204).end();
    return poll(request, response);
  };
}

const feed = (url: string) => `
poll:
  target: ${url}/v1
  open: { path: "/sessions/{room}", session: "json:/id" }
  poll: { path: "/events?of={session}" }
  cursor: { from: "json:/last", send: query:since }
  messages: { framing: json-array, at: "json:/messages" }
  send: { path: "/sent/{session}", response: batch }
  close: { path: "/sessions/{session}" }
`;

const TWO = { messages: ['one', { number: 2 }], last: 7 };
const NOT_SENT = 'nothing was sent: --send TEXT does, and may change things there';
const OPENED = ['open   POST /v1/sessions/room', '201 application/json: {"id":"s1"}'];
const CLOSED = ['close  DELETE /v1/sessions/s1', '204 no Content-Type'];
const POLLED = 'poll   GET /v1/events?of=…';

test('a session is opened, polled once and closed, and what the bridge makes of it is told', async () => {
  const { url, requests } = await service(sessions(json(200, TWO)));
  expect(await live(gate(feed(url)))).toEqual({
    code: 0,
    lines: [
      `SESSION with ${url.slice(7)} (route feed, poll)`,
      ...OPENED,
      POLLED,
      '200 application/json: {"messages":["one",{"number":2}],"last":7}',
      '2 messages, the first: one',
      'the cursor moves; the next poll at once: GET /v1/events?of=…&since=7',
      ...CLOSED,
      NOT_SENT,
    ],
  });
  expect(requests.map(({ method, url }) => `${method} ${url}`).filter((line) => line !== 'GET /v1')).toEqual([
    'POST /v1/sessions/room',
    'GET /v1/events?of=s1',
    'DELETE /v1/sessions/s1',
  ]);
});

test('a message is sent where that is asked for, and what the answer is to the client is told', async () => {
  const { url, requests } = await service(
    sessions((request, response) =>
      json(200, request.method === 'POST' ? { messages: ['ok'] } : TWO)(request, response),
    ),
  );
  const { code, lines } = await live(gate(feed(url)), '--send', 'hello');
  expect(code).toBe(0);
  expect(lines).toContain('send   POST /v1/sent/s1');
  expect(lines).toContain('one message: ok');
  expect(lines).not.toContain(NOT_SENT);
  expect(requests.find(({ url }) => url === '/v1/sent/s1')).toMatchObject({
    body: Buffer.from('hello'),
    headers: { 'idempotency-key': expect.stringMatching(/^[0-9a-f-]{36}:1$/) },
  });
});

test('a message that is to be sent where none are taken is not, and without --live neither', async () => {
  const { url } = await service(sessions(json(200, TWO)));
  const text = gate(feed(url).replace(/ {2}send:.*\n/, ''));
  expect((await live(text, '--send', 'hello')).lines.at(-1)).toBe(
    'nothing was sent: the service takes no messages',
  );
  const folder = await folderWith({ 'gate.yaml': text });
  expect(await sallyport(['check', '--send', 'x', join(folder, 'gate.yaml')])).toMatchObject({
    code: 2,
    err: 'sallyport: --send needs --live\n',
  });
});

test('post is sent nothing unless that is asked for', async () => {
  const { url, requests } = await service(json(200, 'hi'));
  const text = gate(`post: { target: "${url}", path: /hook }`);
  const quiet = await live(text);
  expect([quiet.code, ...quiet.lines.slice(1)]).toEqual([0, NOT_SENT]);
  expect(requests.map(({ method }) => method)).toEqual(['GET']);
  const { code, lines } = await live(text, '--send', 'hello');
  expect([code, ...lines.slice(1)]).toEqual([
    0,
    'send   POST /hook',
    '200 application/json: "hi"',
    'one message: "hi"',
  ]);
});

test('a session that fails is the failure of the check, whatever its target answers', async () => {
  const { url } = await service((request, response) =>
    json(request.url === '/v1' ? 200 : 500, 'oops')(request, response),
  );
  expect(await live(gate(feed(url)))).toMatchObject({ code: 1 });
});

describe('what ends a session is told with the key that may be wrong', () => {
  test.each([
    [
      'a cursor elsewhere',
      json(200, { ...TWO, last: undefined }),
      'gate.yaml:11:25',
      'cursor.from',
      'an answer holds no cursor at json:/last: it ends the session with 1014; say where in the answer above it stands',
    ],
    [
      'no JSON',
      (_: unknown, response) => void response.end('<html>'),
      'gate.yaml:12:30',
      'messages.framing',
      'a body with no Content-Type is not JSON: it ends the session with 1014; see the answer above: framing: body, lines and sse take what is no JSON',
    ],
    [
      'no array',
      json(200, { messages: {}, last: 1 }),
      'gate.yaml:12:46',
      'messages.at',
      'there is no JSON array at json:/messages: it ends the session with 1014; say where it stands (messages.at), or take the answer as one message (framing: json)',
    ],
    [
      'a refusal',
      json(410, 'gone'),
      'gate.yaml:10:9',
      'poll',
      'answers 410, which ends the session with 1014',
    ],
    [
      'a redirect',
      json(302, 'there'),
      'gate.yaml:10:9',
      'poll',
      'answers 302, which ends the session with 1014; nothing is redirected: write where it leads to',
    ],
    [
      'an outage',
      json(503, 'later'),
      'gate.yaml:10:9',
      'poll',
      'answers 503; the bridge would try again, for 60 s',
    ],
  ] satisfies [string, ServiceHandler, string, string, string][])(
    '%s',
    async (_, poll, place, key, message) => {
      const { url, requests } = await service(sessions(poll));
      const { code, lines } = await within(2_000, gate(feed(url)));
      expect(code).toBe(1);
      expect(lines).toContain(`FAILS: ${place} routes[0].upstream.poll.${key}: ${message}`);
      expect(requests.at(-1)?.method).toBe('DELETE');
    },
  );

  test('a cursor that stays', async () => {
    const { url } = await service(json(200, TWO));
    const text = gate(`
poll:
  target: ${url}
  poll: { path: /events }
  cursor: [{ from: "json:/last", send: query:since, initial: "7" }, { from: header:x-epoch, send: query:epoch }]
  messages: { framing: json-array, at: "json:/messages" }`);
    const { lines } = await within(2_000, text);
    expect(lines).toContain(
      'FAILS: gate.yaml:10:26 routes[0].upstream.poll.cursor[0].from: an answer holds messages, and the cursor that was sent: it ends the session with 1014; behind messages it must be another: see `add`, or `unchanged: skip` where they come again',
    );
  });

  test('an answer that is too large', async () => {
    const { url } = await service(sessions(json(200, TWO)));
    const { lines } = await within(2_000, gate(`${feed(url).trimEnd()}\n  responseSize: 20B`));
    expect(lines).toContain(
      'FAILS: gate.yaml:15:23 routes[0].upstream.poll.responseSize: an answer exceeds responseSize: it ends the session with 1014; raise it, or ask for less',
    );
  });

  test('a message that is refused, where the keys of sends stand beside the others', async () => {
    const { url } = await service(json(500, 'oops'));
    const text = gate(`post: { target: "${url}" }`);
    const { code, lines } = await within(2_000, text, { message: 'hello' });
    expect([code, ...lines.slice(1)]).toEqual([
      1,
      'send   POST /',
      '500 application/json: "oops"',
      'FAILS: gate.yaml:7:7 routes[0].upstream.post: answers 500, which ends the session with 1014',
    ]);
  });

  test('a session without a name', async () => {
    const { url } = await service(json(200, {}));
    const { code, lines } = await within(2_000, gate(feed(url)));
    expect([code, ...lines.slice(1)]).toEqual([
      1,
      'open   POST /v1/sessions/room',
      '200 application/json: {}',
      'FAILS: gate.yaml:9:52 routes[0].upstream.poll.open.session: an answer holds no session at json:/id: no session begins; say where in the answer above it stands',
      NOT_SENT,
    ]);
  });
});

describe('what may be for want of what clients bring does not fail', () => {
  test.each([400, 401, 403, 404])('a poll that is answered %i', async (status) => {
    const { url } = await service(sessions(json(status, 'no')));
    const { code, lines } = await within(2_000, gate(feed(url)));
    expect(code).toBe(0);
    expect(lines.find((line) => line.startsWith('PERHAPS'))).toMatch(
      new RegExp(`poll: answers ${status}, which ends the session with \\d+; .*what clients bring`),
    );
  });

  test('an open that is refused', async () => {
    const { url, requests } = await service(json(401, 'who?'));
    const { code, lines } = await within(2_000, gate(feed(url)));
    expect([code, ...lines.slice(1)]).toEqual([
      0,
      'open   POST /v1/sessions/room',
      '401 application/json: "who?"',
      'PERHAPS: gate.yaml:9:9 routes[0].upstream.poll.open: answers 401, and so does the gateway to the client; it may want what clients bring: let that pass (headers.pass), or prove the gateway (upstream.credentials)',
      NOT_SENT,
    ]);
    expect(requests).toHaveLength(1);
  });

  test('a goodbye that is answered with an error', async () => {
    const rest = sessions(json(200, TWO));
    const { url } = await service((request, response) =>
      (request.method === 'DELETE' ? json(404, 'who?') : rest)(request, response),
    );
    const { code, lines } = await within(2_000, gate(feed(url)));
    expect(code).toBe(0);
    expect(lines).toContain(
      'PERHAPS: gate.yaml:14:9 routes[0].upstream.poll.close: answers 404: it may not know that the session is over',
    );
  });

  test.each(['{claims.sub}', '{query.name}'])('a path with %s', async (placeholder) => {
    const { url, requests } = await service(json(200, TWO));
    const text = gate(`poll: { target: "${url}", poll: { path: "/of/${placeholder}" } }`);
    const { code, lines } = await within(
      2_000,
      text.replace('auth: none', 'auth: { issuer: main }') + ISSUERS,
    );
    expect([code, requests.length]).toEqual([0, 0]);
    expect(lines[1]).toMatch(/^PERHAPS: gate\.yaml:.* it needs what clients bring: /);
  });

  test('an answer in which a pointer finds nothing', async () => {
    const { url } = await service(sessions(json(200, { items: [] })));
    const { code, lines } = await within(2_000, gate(feed(url)));
    expect(code).toBe(0);
    expect(lines).toContain('no message');
    expect(lines).toContain('the cursor stays; the next poll in about 1.5 s: GET /v1/events?of=…');
    expect(lines).toContain(
      'PERHAPS: gate.yaml:12:46 routes[0].upstream.poll.messages.at: nothing stands at json:/messages in the answer: it is no message; well if there is none now',
    );
  });
});

test('what is to be confirmed is left for another, and the confirmation shown', async () => {
  const { url, requests } = await service(json(200, [{ id: 'a"b', body: 'one' }]));
  const text = gate(`
poll:
  target: "${url}"
  poll: { path: /queue }
  messages: { framing: json-array, item: json:/body }
  confirm: { path: /done, body: '{ "ids": [{items}] }', item: '"{item./id}"' }`);
  const { lines } = await within(5_000, text);
  expect(lines).toContain('one message: one');
  expect(lines).toContain('not confirmed, so that it comes again, by POST /done: { "ids": ["a\\"b"] }');
  expect(requests.map((request) => request.url)).toEqual(['/queue']);
});

test('a poll that is held is given up, and the session closed', async () => {
  const { url, requests } = await service(sessions(() => {}));
  const { code, lines } = await within(200, gate(feed(url)));
  expect(code).toBe(0);
  expect(lines.slice(3)).toEqual([
    POLLED,
    expect.stringMatching(
      /^held: nothing came within 0\.\d s, then this check gave up; that is well where there is nothing to say$/,
    ),
    ...CLOSED,
    NOT_SENT,
  ]);
  expect(requests.at(-1)?.method).toBe('DELETE');
});

test('a message whose answer is held leaves no time for a poll', async () => {
  const { url, requests } = await service(sessions(() => {}));
  const { code, lines } = await within(200, gate(feed(url)), { message: 'hello' });
  expect(code).toBe(0);
  expect(lines[4]).toMatch(/^no answer within 0\.\d s, then this check gave up$/);
  expect(requests.map(({ method }) => method)).toEqual(['POST', 'POST', 'DELETE']);
});

test('a service that knows the session by our name for it, and does not answer, is told of the end', async () => {
  const { url, requests } = await service(({ body }, response) => {
    if (!body.toString().startsWith('OPEN')) response.end();
  });
  const { code, lines } = await within(200, gate(`poll: { profile: websocket-over-http, target: "${url}" }`));
  expect([code, ...lines.slice(1)]).toEqual([
    1,
    'open   POST /rooms/room',
    'FAILS: gate.yaml:7:7 routes[0].upstream.poll: no answer in time',
    'close  POST /rooms/room',
    '200 no Content-Type',
    NOT_SENT,
  ]);
  expect(requests.map(({ body }) => body.toString().trim())).toEqual(['OPEN', 'DISCONNECT']);
});

test('a poll whose loss ends the session is given up behind the goodbye', async () => {
  let held: ServerResponse | undefined;
  const { url, requests } = await service((request, response) => {
    if (request.method === 'POST') {
      held?.end('6');
      response.end('ok');
    } else if (request.url.includes('sid=')) held = response;
    else response.end('0{"sid":"abc","pingInterval":25000,"pingTimeout":20000}');
  });
  const { code, lines } = await within(200, gate(`poll: { profile: engine.io, target: "${url}" }`));
  expect(code).toBe(0);
  expect(lines).toContainEqual(expect.stringMatching(/^held: nothing came within/));
  expect(lines).toContain('close  POST /socket.io/?EIO=…&transport=…&sid=…');
  expect(requests).toHaveLength(3);
  expect(held?.writableFinished).toBe(true);
});

describe('a stream', () => {
  const stream = (url: string) =>
    gate(`
poll:
  target: ${url}
  poll: { path: /events, mode: stream }
  cursor: { from: event:id, send: header:last-event-id }
  messages: { framing: sse }`);

  test('is read until its first event', async () => {
    const { url } = await service((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('id: 4\ndata: one\n\n');
    });
    const { code, lines } = await within(2_000, stream(url));
    expect([code, ...lines.slice(1)]).toEqual([
      0,
      'poll   GET /events',
      '200 text/event-stream: id: 4 data: one',
      'one message: one',
      'the cursor moves; the next poll at once: GET /events, last-event-id: 4',
      NOT_SENT,
    ]);
  });

  test('without an event is given up', async () => {
    const { url } = await service((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    });
    const { code, lines } = await within(200, stream(url));
    expect([code, ...lines.slice(1, 4)]).toEqual([
      0,
      'poll   GET /events',
      '200 text/event-stream',
      expect.stringMatching(/^held: nothing came within/),
    ]);
  });

  test('that is none is told', async () => {
    const { url } = await service(json(200, {}));
    const { code, lines } = await within(2_000, stream(url));
    expect(code).toBe(1);
    expect(lines.find((line) => line.startsWith('FAILS'))).toMatch(
      /^FAILS: gate\.yaml:11:30 routes\[0\]\.upstream\.poll\.messages\.framing: the answer has Content-Type application\/json, and is no event stream: it ends the session with 1014; ask for/,
    );
  });
});

test('an answer that is compressed is told as it is read', async () => {
  const { url } = await service(
    sessions((_request, response) => {
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
        .end(gzipSync(JSON.stringify(TWO)));
    }),
  );
  const { code, lines } = await within(2_000, gate(feed(url)));
  expect(code).toBe(0);
  expect(lines).toContain('200 application/json: {"messages":["one",{"number":2}],"last":7}');
});

describe('what a newcomer trips over', () => {
  const text = (status: number, type: string | undefined, body: string): ServiceHandler =>
    function answer(_request, response) {
      response.writeHead(status, type === undefined ? {} : { 'content-type': type }).end(body);
    };

  test.each([
    [
      text(404, 'text/html', 'Cannot POST /'),
      /^PERHAPS: .*post: answers 404, .*\(refusal: relay\); see the path/,
    ],
    [
      text(200, undefined, 'hi'),
      /^PERHAPS: .*post.messages: the answer has no Content-Type: its body is a binary message; /,
    ],
    [
      text(200, 'text/event-stream', 'data: 1\n\n'),
      /^PERHAPS: .*post.response: .* all of it one message; write response: sse/,
    ],
  ])('a reply that may not be one', async (answer, expected) => {
    const { url } = await service(answer);
    const { code, lines } = await within(2_000, gate(`post: { target: "${url}" }`), { message: 'hello' });
    expect([code, lines.at(-1)]).toEqual([0, expect.stringMatching(expected)]);
  });

  test.each([
    ['text/event-stream', 'sse', 'ndjson', /not JSON: .* an event stream is response: sse/],
    ['application/json', '{}', 'sse', /no event stream: .*; write response: message/],
  ])('a reply of %s where another is expected', async (type, body, response, expected) => {
    const { url } = await service(text(200, type, body));
    const post = gate(`post: { target: "${url}", response: ${response} }`);
    const { code, lines } = await within(2_000, post, { message: 'hello' });
    expect([code, lines.at(-1)]).toEqual([1, expect.stringMatching(expected)]);
    expect(lines.at(-1)).toMatch(/^FAILS: gate.yaml:\d+:\d+ routes\[0\].upstream.post.response: /);
  });

  test('a reply that does not end', async () => {
    const { url } = await service((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    });
    const post = gate(`post: { target: "${url}", timeout: 1s }`);
    const { lines } = await within(5_000, post, { message: 'hello' });
    expect(lines.at(-1)).toMatch(
      /^FAILS: .*post.response: the answer is an event stream that goes on; write response: sse/,
    );
  });

  test('a reply that is cut', async () => {
    const { url } = await service((_request, response) => void response.destroy());
    const { lines } = await within(2_000, gate(`post: { target: "${url}" }`), { message: 'hello' });
    expect(lines.at(-1)).toMatch(/post: other side closed: a message may or may not have arrived: it ends /);
  });

  test('a poll that is answered at once, and not told where to go on', async () => {
    const { url } = await service(json(200, []));
    const { code, lines } = await within(2_000, gate(`poll: { target: "${url}", poll: { path: /events } }`));
    const perhaps = lines.find((line) => line.startsWith('PERHAPS'));
    expect([code, perhaps]).toEqual([
      0,
      expect.stringMatching(/poll.poll: answers at once, and there is no `cursor`/),
    ]);
  });

  test('a stream that is taken for an answer', async () => {
    const { url } = await service((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    });
    const { code, lines } = await within(200, gate(`poll: { target: "${url}", poll: { path: /events } }`));
    expect([code, lines[2]]).toEqual([1, '200 text/event-stream']);
    expect(lines.find((line) => line.startsWith('FAILS'))).toMatch(/poll.poll: .*; write mode: stream, and/);
  });

  test('a page where a session should be opened', async () => {
    const { url } = await service(text(200, 'text/html', '<html>'));
    const { lines } = await within(2_000, gate(feed(url)));
    expect(lines.find((line) => line.startsWith('FAILS'))).toMatch(
      /poll.open: a body with Content-Type text\/html is not JSON: no session begins; .* json: is to find/,
    );
  });
});

describe('a service that cannot be reached', () => {
  test('opens no session', async () => {
    const { code, lines } = await within(2_000, gate(feed(`http://127.0.0.1:${await freePort()}`)));
    expect([code, ...lines.slice(1)]).toEqual([
      1,
      'FAILS: gate.yaml:7:7 routes[0].upstream.poll: nothing listens there',
      NOT_SENT,
    ]);
  });

  test('is polled in vain', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { code, lines } = await within(2_000, gate(`poll: { target: "${url}", poll: { path: /events } }`));
    expect(code).toBe(1);
    expect(lines).toContain(
      'FAILS: gate.yaml:7:7 routes[0].upstream.poll: nothing listens there; the bridge would try again, for 60 s',
    );
  });
});

test('another profile is tried by its own requests', async () => {
  const opening = { sid: 'abc', upgrades: [], pingInterval: 25000, pingTimeout: 20000, maxPayload: 1000000 };
  const { url, requests } = await service((request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain; charset=UTF-8' });
    if (request.method === 'POST') response.end('ok');
    else response.end(request.url.includes('sid=') ? '2\x1e4hello' : `0${JSON.stringify(opening)}`);
  });
  const { code, lines } = await within(2_000, gate(`poll: { profile: engine.io, target: "${url}" }`));
  expect(code).toBe(0);
  expect(lines).toContain(`one message: 0${JSON.stringify(opening).slice(0, 79)}…`);
  expect(lines).toContain('2 messages, the first: 2');
  expect(lines).toContain('200 text/plain; charset=UTF-8: 2 4hello');
  expect(requests.at(-1)).toMatchObject({ method: 'POST', body: Buffer.from('1') });
});

test('a profile whose clients name their transport is tried with it', async () => {
  const { url } = await service(
    (request, response) => void response.end(request.url.endsWith('xhr') ? 'o\n' : ''),
  );
  const text = gate(`poll: { profile: sockjs, target: "${url}", path: /echo }`);
  const { lines } = await within(2_000, text.replace('/rooms/{room}', '/echo/*'));
  expect(lines[1]).toMatch(/^open {3}POST \/echo\/\d{3}\/[0-9a-f]{32}\/xhr$/);
});

test('a text that the profile does not send is told', async () => {
  const { url } = await service(json(200, []));
  const text = gate(`poll: { profile: bayeux, target: "${url}", path: /bayeux }`);
  const { code, lines } = await within(2_000, text, { message: 'hello' });
  expect([code, ...lines.slice(1)]).toEqual([
    1,
    'FAILS: gate.yaml:7:7 routes[0].upstream.poll: the text of --send does not do: The message is not JSON.',
  ]);
});

test('neither secrets nor what moves a cursor are shown, and no more than a line', async () => {
  const { url } = await service(
    sessions(({ headers }, response) => {
      const echo = headers['x-api-key'] ?? `\x1b[2J\u202e${'x'.repeat(500)}\n`;
      response.writeHead(401, { 'content-type': 'text/plain' }).end(echo);
    }),
  );
  const plain = await within(2_000, gate(feed(url)));
  expect(plain.lines).toContain(`401 text/plain: [2J ${'x'.repeat(196)}…`);
  const add = `${feed(url).trimEnd()}\n  headers: { add: { x-api-key: "Key a-secret-of-ours" } }`;
  const lent = `${feed(url).trimEnd()}\ncredentials: [{ header: x-api-key, value: "a-secret-of-ours" }]`;
  for (const upstream of [add, lent]) {
    const { lines } = await within(2_000, gate(upstream));
    expect(lines).toContain('401 text/plain: (not shown: it repeats a secret of the configuration)');
    expect(lines.join('\n')).not.toContain('a-secret');
  }
});
