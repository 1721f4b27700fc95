import { afterEach, expect, test } from 'vitest';
import { concealmentOf, tellsSecret } from '../../../src/bridge/poll/concealment.ts';
import { Concealment } from '../../../src/upstream/concealment.ts';
import { closeOf, fixtures, pollRoute } from '../../support/poll.ts';

const { service, harness, undo } = fixtures();
afterEach(undo);

const TARGET = 'http://127.0.0.1:1';

test.each<[string, object, string, boolean]>([
  ['a header that is added', { headers: { add: { authorization: 'Bearer sk-123456' } } }, 'sk-123456', true],
  ['one that a request has', { poll: { path: '/', headers: { cookie: 'sid=123456' } } }, 'sid=123456', true],
  ['an API key', { headers: { add: { 'x-api-key': 'sk-123456' } } }, 'a sk%2D123456', true],
  [
    'what is no secret by its name',
    { headers: { add: { 'x-tenant': 'acme-limited' } } },
    'acme-limited',
    false,
  ],
  ['what nobody has set', {}, 'sk-123456', false],
])('%s is known to the service alone', (_what, more, text, expected) => {
  const poll = { target: TARGET, poll: { path: '/' }, ...more };
  expect(tellsSecret(text, concealmentOf(pollRoute(poll)))).toBe(expected);
});

test('credentials are looked for beside them, as they are now', () => {
  const lent = new Concealment([]);
  const poll = { target: TARGET, poll: { path: '/' }, headers: { add: { authorization: 'sk-123456' } } };
  const concealment = concealmentOf(pollRoute(poll), lent);
  lent.hide(['sk-lent-to-us']);
  expect(['sk-123456', 'sk-lent-to-us', 'sk-others'].map((text) => concealment.isIn(text))).toEqual([
    true,
    true,
    false,
  ]);
  expect(concealment.fields(['a', 'sk-123456', 'b', 'sk-lent-to-us', 'c', 'd'])).toEqual(['c', 'd']);
  expect(String(concealment.body(Buffer.from('sk-123456'), {}))).toBe('');
});

test('the reason of a Close of the service tells no secret', async () => {
  const reason = 'not by sk-123456';
  const content = Buffer.concat([Buffer.of(0x0f, 0xa0), Buffer.from(reason)]);
  const backend = await service((_request, response) => {
    response.setHeader('content-type', 'application/websocket-events');
    response.write(`OPEN\r\nCLOSE ${content.length.toString(16)}\r\n`);
    response.end(Buffer.concat([content, Buffer.from('\r\n')]));
  });
  const headers = { add: { authorization: 'Bearer sk-123456' } };
  const poll = { profile: 'websocket-over-http', target: backend.url, headers };
  const concealment = concealmentOf(pollRoute(poll));
  for (const [options, expected] of [
    [{ concealment }, ''],
    [{}, reason],
  ] as const) {
    const client = await (await harness(poll, options)).connect();
    expect(await closeOf(client)).toEqual({ code: 4000, reason: expected });
  }
});
