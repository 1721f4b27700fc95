import { describe, expect, test } from 'vitest';
import { parsed, problemOf, sampleConfig } from '../support/config.ts';

/** A configuration with a poll route: the YAML of its `poll` section, in braces. */
function withPoll(poll: string, auth = 'none'): string {
  const route = `
  - name: feed
    match: { path: "/feed/{room}" }
    auth: ${auth}
    upstream: { poll: { target: http://127.0.0.1:3001, ${poll} } }`;
  return sampleConfig({ route });
}

const CONFIRM = `path: /done, body: '{"ids": [{items}]}', item: '"{item./id}"'`;

describe('a poll upstream', () => {
  test.each([
    ['poll: { path: "/{room}?wait={hold}&{query}" }'],
    ['poll: { path: "/s/{session}" }, open: { path: /join, session: "json:/id" }'],
    ['poll: { path: "/e/{cursor}" }, cursor: { from: "json:/next" }'],
    ['poll: { path: /e }, close: { path: "/leave/{room}" }'],
    ['poll: { path: "/e?ms={hold_ms}&a={query.after|0}", headers: { x-c: "{connection}" } }'],
    [
      'poll: { path: /e, method: POST, body: "room={room}&w={hold}", type: application/x-www-form-urlencoded }',
    ],
    [`send: { path: "/m/{seq}", body: '{"text":"{message}","data":{message.json},"n":{seq}}' }`],
    [`send: { path: /m, body: '{"a":"{message}"}', text: application/vnd.x+json }`],
    ['send: { path: /m, body: { set: { /stream: true, /user: "{connection}" }, remove: [/debug] } }'],
    [`send: { path: /m }, close: { path: "/end?c={code}&n={seq}", body: '["{reason}"]' }`],
    ['send: { path: /m }, headers: { pass: [cookie], add: { x-room: "{room} {query.a|b}" } }'],
    ['send: { path: /m }, headers: { add: { x-room: plain } }'],
    ['send: { path: /m }, headers: { add: { Authorization: Bearer key } }'],
    ['poll: { path: /e }, codes: { 302: 1001, 410: 1000, 503: 4999 }'],
    ['poll: { path: "/e/{cursor}" }, cursor: { from: "json:/next" }, ack: pong'],
    ['poll: { path: /e, end: { header: { stream-closed: true } } }'],
    ['poll: { path: /e, end: [{ status: [204, 304] }, { json: { /more: false }, status: [200] }] }'],
    [
      'poll: { path: /e, mode: stream, end: { json: { /a: 1 } } }, messages: { framing: sse, events: [a, b] }',
    ],
    [
      `poll: { path: /e }, messages: { framing: ndjson }, ack: pong, confirm: { ${CONFIRM} }, linger: { token: query:t }`,
    ],
  ])('accepts %s', (poll) => {
    expect(() => parsed(withPoll(poll))).not.toThrow();
  });

  test.each([
    ['poll: { path: "/{rom}" }', 'nothing fills {rom} here'],
    ['poll: { path: "/{session}" }', 'nothing fills {session} here'],
    ['poll: { path: "/{cursor}" }', 'nothing fills {cursor} here'],
    ['poll: { path: /e }, close: { path: "/{hold}" }', 'nothing fills {hold} here'],
    ['poll: { path: /e }, open: { path: "/{session}", session: "json:/id" }', 'nothing fills {session} here'],
    [
      'poll: { path: /e }, cursor: { from: "json:/next" }',
      'is required unless the path, a header or the body of `poll` holds',
    ],
    ['poll: { path: /e }, open: { path: /join, cursor: "json:/at" }', 'has no effect without `cursor`'],
    ['poll: { path: "/{message}" }', 'nothing fills {message} here'],
    ['poll: { path: "/{seq}" }', 'nothing fills {seq} here'],
    ['poll: { path: "/{claims.sub}" }', '{claims.sub}: there are no claims on a route with auth: none'],
    ['poll: { path: "/{claims}" }', 'nothing fills {claims} here'],
    [`poll: { path: '/{query.a"b}' }`, 'nothing fills {query.a"b} here'],
    ['poll: { path: "/{room" }', 'a { or } stands alone'],
    ['poll: { path: "/{room|x}" }', 'only {query.NAME} and {claims.NAME} take a default behind |'],
    ['poll: { path: "/{query}" }', '{query} stands behind a ? only'],
    ['poll: { path: /e, headers: { x-a: "{code}" } }', 'nothing fills {code} here'],
    ['poll: { path: /e, headers: { content-type: a/b } }', 'is said by `type`, `text` and `binary`'],
    ['poll: { path: /e, headers: { transfer-encoding: gzip } }', 'is set by the gateway, and by nobody else'],
    ['poll: { path: /e, headers: { host: a } }', 'is changed by the key `host`'],
    ['poll: { path: /e, headers: { x-a: "é" } }', 'is not a header value of visible ASCII characters'],
    ['poll: { path: /e, body: "{}" }', 'a GET has no body: set `method` to POST'],
    ['poll: { path: /e, type: a/b }', 'has no effect without `body`'],
    ['send: { path: "/{message}" }', 'nothing fills {message} here'],
    ['send: { path: "/{code}" }', 'nothing fills {code} here'],
    [`send: { path: /m, body: '{"a":"{user}"}' }`, 'nothing fills {user} here'],
    [`send: { path: /m, body: '{"a":{message}"}' }`, 'is not JSON, with values in place of its placeholders'],
    [`send: { path: /m, body: '{"a":1{seq}}' }`, 'is not JSON'],
    [`send: { path: /m, body: '{"a":"\\{message}"}' }`, 'is not JSON'],
    [`send: { path: /m, body: '{"a":"{message.json}"}' }`, '{message.json} stands outside of quotes'],
    [
      `send: { path: /m, body: '<a>{message}</a>', text: text/xml }`,
      'no values can be put into text/xml safely',
    ],
    ['send: { path: /m, body: { set: {} } }', 'it neither sets nor removes anything'],
    ['send: { path: /m, body: { set: { stream: true } } }', 'is not a JSON pointer like /stream'],
    ['send: { path: /m, body: { set: { /a: "{code}" } } }', 'nothing fills {code} here'],
    ['send: { path: /m, body: { set: { /a: { b: ["{ } {cod}"] } } } }', 'nothing fills {cod} here'],
    ['send: { path: /m }, close: { path: /e, body: "[{message}]" }', 'nothing fills {message} here'],
    ['send: { path: /m }, headers: { add: { x-a: "{seq}" } }', 'nothing fills {seq} here'],
    ['send: { path: /m }, headers: { add: { x-connection-id: a } }', 'is the gateway’s own to say'],
    ['send: { path: /m }, headers: { add: { upgrade: a } }', 'is set by the gateway, and by nobody else'],
    ['send: { path: /m }, headers: { pass: [x-a], add: { x-a: a } }', 'it is added, and so replaced'],
    ['send: { path: /m }, http2: auto', '`auto` has no effect without an https: target'],
    ['poll: { path: /e }, messages: { at: "json:/x" }', 'has an effect with json and json-array only'],
    ['poll: { path: /e }, messages: { item: "json:/x" }', 'has no effect with body'],
    ['poll: { path: /e }, ack: pong', 'has no effect without `cursor`'],
    ['poll: { path: /e, end: {} }', 'says nothing of the answer: give status, header, json'],
    ['poll: { path: /e, end: { status: [410] } }', '2xx, 304 or 408; `codes` is for others'],
    ['poll: { path: /e, end: { json: { more: 1 } } }', 'is not a JSON pointer'],
    [
      'poll: { path: /e, mode: stream, end: { header: { a: b } } }, messages: { framing: sse }',
      'poll.end: with mode: stream it is an event that says the end: give `json`',
    ],
    [
      'poll: { path: /e, mode: stream, end: [{ json: { /a: 1 } }, { json: { /a: 1 }, status: [200] }] }, messages: { framing: sse }',
      'poll.end[1]: with mode: stream it is an event',
    ],
    [
      'poll: { path: /e, mode: stream, end: { json: { /a: 1 } } }, messages: { framing: lines }',
      'poll.end: there is no JSON in lines',
    ],
    ['poll: { path: /e }, messages: { events: a }', 'messages.events: has an effect with sse only'],
    [`send: { path: /e }, confirm: { ${CONFIRM} }`, 'confirm: has an effect with `poll` only'],
    [
      `poll: { path: /e, mode: stream }, messages: { framing: ndjson }, confirm: { ${CONFIRM} }`,
      'confirm: has an effect with `poll` only, and not with its mode: stream',
    ],
    [
      `poll: { path: /e }, messages: { framing: ndjson }, confirm: { ${CONFIRM} }, cursor: { from: json:/a, send: query:a }`,
      'confirm: does not go with `cursor`',
    ],
    [
      `poll: { path: /e }, messages: { framing: ndjson }, confirm: { ${CONFIRM} }, linger: { token: query:t }`,
      'confirm: with `linger` needs `ack: pong`',
    ],
    [`poll: { path: /e }, confirm: { ${CONFIRM} }`, 'confirm: there are no items in body'],
    [
      `poll: { path: /e }, messages: { framing: ndjson }, confirm: { path: /d, body: '{}', item: '{}' }`,
      'confirm.body: says nothing of the messages: put {items} into it',
    ],
    [
      `poll: { path: /e }, messages: { framing: ndjson }, confirm: { path: /d, body: '["{items}"]', item: '{}' }`,
      'confirm.body: {items} stands outside of quotes',
    ],
    [
      `poll: { path: /e }, messages: { framing: ndjson }, confirm: { path: /d, body: 'a={items}', type: application/x-www-form-urlencoded, item: 'x' }`,
      'confirm.body: {items} stands in JSON only',
    ],
    [
      `poll: { path: /e }, messages: { framing: ndjson }, confirm: { path: /d, body: '[{items}]', item: '{"a":"{item./a}"' }`,
      'confirm.item: is not JSON',
    ],
    [
      `poll: { path: /e }, messages: { framing: ndjson }, confirm: { path: /d, body: '[{items}]', item: '"{item.a}"' }`,
      'confirm.item: nothing fills {item.a} here',
    ],
    [
      `poll: { path: /e }, messages: { framing: ndjson }, confirm: { path: "/{item./a}", body: '[{items}]', item: '1' }`,
      'confirm.path: nothing fills {item./a} here',
    ],
    [`poll: { path: /e, method: POST, body: '[{items}]' }`, 'nothing fills {items} here'],
    ['poll: { path: /e }, codes: { 200: 1000 }', 'is not a status from 300 to 599, but 304'],
    ['poll: { path: /e }, codes: { 304: 1000 }', 'is not a status from 300 to 599, but 304'],
    ['poll: { path: /e }, codes: { 410: 1006 }', 'is not a close code such as 1000'],
    ['poll: { path: /e }, codes: { 410: 2000 }', 'is not a close code such as 1000'],
    ['poll: { path: /e }, codes: { 410: 5000 }', 'is not a close code such as 1000'],
  ])('refuses %s', (poll, message) => {
    expect(problemOf(withPoll(poll))).toContain(message);
  });

  test.each([
    ['profile: engine.io'],
    ['profile: engine.io, path: /io'],
    ['profile: sockjs, path: /echo'],
    ['profile: bayeux, path: /faye'],
  ])('accepts %s', (poll) => {
    expect(() => parsed(withPoll(poll))).not.toThrow();
  });

  test.each([
    ['profile: engine.io, path: "/{room}"', 'without a query and without placeholders'],
    ['profile: engine.io, path: "/io?EIO=3"', 'without a query and without placeholders'],
    ['profile: sockjs', 'path: is missing'],
    ['profile: bayeux', 'path: is missing'],
    ['profile: sockjs, path: /echo, send: { path: /x }', 'send: does not go with this profile; remove it'],
    ['profile: engine', 'expected generic, websocket-over-http, engine.io, sockjs or bayeux'],
    ['profile: pushpin', 'sockjs or bayeux; did you mean poll: { profile: websocket-over-http }?'],
    ['profile: aws', 'sockjs or bayeux; did you mean post: { profile: aws }?'],
    [
      'poll: { path: /e }, path: /e',
      'poll.path: does not go with this profile; path stands in open or poll or confirm or send or close',
    ],
    ['poll: { path: /e }, response: message', 'poll.response: unknown key; response stands in send'],
    ['poll: { path: /e }, hub: chat', 'poll.hub: unknown key; hub stands in post'],
    [
      'poll: { path: /e }, topic: a',
      'known here: profile, target, headers, http2, responseSize, queueSize, codes',
    ],
  ])('refuses %s', (poll, message) => {
    expect(problemOf(withPoll(poll))).toContain(message);
  });

  test('takes claims where there are some, and carries each in one way', () => {
    const auth = '{ issuer: main, token: [subprotocol], forward: { x-user: sub } }';
    const used = 'send: { path: "/m/{claims.sub}" }, headers: { add: { x-id: "{claims./a/b|none}" } }';
    expect(() => parsed(withPoll(used, auth))).not.toThrow();
    const twice = 'send: { path: /m }, headers: { add: { x-user: "{claims.sub}" } }';
    expect(problemOf(withPoll(twice, auth))).toContain('add.x-user: carries a claim, by auth.forward');
    const again = 'send: { path: /m, headers: { x_user: "{claims.sub}" } }';
    expect(problemOf(withPoll(again, auth))).toContain('headers.x_user: carries a claim, by auth.forward');
  });

  test.each([
    ['credentials: { header: x-key, value: abc }', 'carries a credential, by upstream.credentials'],
    ['headers: { set: { x-key: abc } }', 'is set by upstream.headers'],
  ])('says no header twice: %s', (upstream, message) => {
    const said = 'send: { path: /m, headers: { x-key: a } }';
    const text = withPoll(said).replace('upstream: { poll', `upstream: { ${upstream}, poll`);
    expect(problemOf(text)).toContain(message);
  });

  test('refuses a base URL with a query', () => {
    const text = withPoll('poll: { path: /e }').replace(':3001', ':3001/?x=1');
    expect(problemOf(text)).toContain('a base URL has no query');
  });
});

/** The same with a route of `post`, as written behind its key. */
function withPost(post: string): string {
  const route = `
  - name: feed
    match: { path: "/feed/{room}" }
    auth: none
    upstream: { post: ${post} }`;
  return sampleConfig({ route });
}

const TARGET = 'target: "http://127.0.0.1:3001"';

describe('a post upstream', () => {
  test.each([
    ['http://127.0.0.1:3001'],
    ['http://127.0.0.1:3001/message'],
    ['"unix:/run/app.sock:/message"'],
    [`{ ${TARGET}, path: "/{room}/{seq}", body: '["{message}"]', concurrency: 4, order: free }`],
    [`{ ${TARGET}, response: sse, messages: { item: "json:/text" } }`],
    [`{ ${TARGET}, response: batch, messages: { framing: lines } }`],
    [
      `{ ${TARGET}, open: { path: /o, session: "json:/id" }, path: "/{session}", close: { path: "/{session}?c={code}" } }`,
    ],
  ])('accepts %s', (post) => {
    expect(() => parsed(withPost(post))).not.toThrow();
  });

  test.each([
    ['ws://127.0.0.1:3001', 'is not an http:// or https:// URL, or unix:/run/app.sock; write http://'],
    ['http://127.0.0.1:3001/?a=1', 'post: a base URL has no query'],
    ['[http://127.0.0.1:3001]', 'a mapping with target, which may be a list'],
    [`{ ${TARGET}, ack: pong }`, 'post.ack: unknown key; ack stands in poll'],
    [`{ ${TARGET}, linger: 30s }`, 'is not a mapping (key: value); known here: for, token, max'],
    [`{ ${TARGET}, profile: lambda }`, 'cloudevents or aws; did you mean post: { profile: aws }?'],
    [`{ ${TARGET}, path: "/{rom}" }`, 'post.path: nothing fills {rom} here'],
    [`{ ${TARGET}, body: '["{rom}"]' }`, 'post.body: nothing fills {rom} here'],
    [`{ ${TARGET}, body: "{message}", text: text/plain }`, 'post.body: a body is JSON or a form'],
    [`{ ${TARGET}, path: "/{session}" }`, 'post.path: nothing fills {session} here'],
    [`{ ${TARGET}, path: "/{cursor}" }`, 'post.path: nothing fills {cursor} here'],
    [`{ ${TARGET}, close: { path: "/{reason}" } }`, 'post.close.path: {reason} stands behind a ? only'],
    [
      `{ ${TARGET}, headers: { add: { x-a: "{claims.sub}" } } }`,
      'post.headers.add.x-a: {claims.sub}: there are no claims',
    ],
    [`{ ${TARGET}, method: GET }`, 'post.method: a GET has no body, which is where a message goes'],
    [`{ ${TARGET}, order: keep }`, 'post.order: has no effect without `concurrency`'],
    [`{ ${TARGET}, response: batch }`, 'post.response: batch: say in `messages.framing`'],
    [
      `{ ${TARGET}, messages: { framing: ndjson } }`,
      'post.messages.framing: has no effect with response: message',
    ],
    [
      `{ ${TARGET}, response: ignore, messages: { type: text } }`,
      'post.messages.type: has no effect with response: ignore',
    ],
    [
      `{ ${TARGET}, response: ndjson, messages: { sse: event } }`,
      'post.messages.sse: has an effect with sse only',
    ],
    [`{ ${TARGET}, messages: { item: "json:/a" } }`, 'post.messages.item: has no effect with body'],
    [`{ ${TARGET}, poll: { path: /e } }`, 'post.poll'],
    [`{ ${TARGET}, linger: {} }`, 'post.linger.token: '],
    [`{ ${TARGET}, linger: { token: resume } }`, 'is not query:NAME or subprotocol:PREFIX'],
    [`{ ${TARGET}, linger: { token: "cookie:resume" } }`, 'is not query:NAME or subprotocol:PREFIX'],
    [`{ ${TARGET}, open: { path: /o, cursor: "json:/c" } }`, 'post.open.cursor'],
  ])('refuses %s', (post, message) => {
    expect(problemOf(withPost(post))).toContain(message);
  });
});

describe('sessions that outlive their clients', () => {
  test.each([
    ['engine.io', 'begin a new session with each connection'],
    ['bayeux', 'bring their own clientId'],
  ])('are none of %s', (profile, why) => {
    const poll = `{ profile: ${profile}, ${TARGET}, path: /p, linger: { token: "query:resume" } }`;
    const route = `
  - name: feed
    match: { path: /feed }
    auth: none
    upstream: { poll: ${poll} }`;
    expect(problemOf(sampleConfig({ route }))).toMatch(
      new RegExp(`poll\\.linger: has no place here: .*${why}`),
    );
  });
});

describe('a resume token', () => {
  function problem(token: string, rest: string): string {
    const route = `
  - name: feed
    match: { path: /feed }
    ${rest}
    upstream: { post: { ${TARGET}, linger: { token: "${token}" } }, credentials: [{ query: key, value: "\${KEY}" }] }`;
    return problemOf(sampleConfig({ route }), { KEY: 'a-key' });
  }

  test.each([
    ['query:jwt', 'query:jwt'],
    ['subprotocol:token', 'subprotocol:token.'],
    ['subprotocol:token.of.', 'subprotocol:token.'],
    ['query:key', 'header'],
  ])('at %s is refused where %s, or a credential, is taken for something else', (token, source) => {
    expect(problem(token, `auth: { issuer: main, token: ["${source}"] }`)).toContain(
      'post.linger.token: is a place that',
    );
  });
});
