import { describe, expect, test } from 'vitest';
import {
  type Asked,
  compileAnswerFields,
  endToEndFields,
  pairsOf,
} from '../../src/upstream/answer-fields.ts';
import { targetsOf } from '../../src/upstream/target.ts';
import { plainOf, routeConfig } from '../support/handshakes.ts';

/** What the client gets of an answer of this upstream. */
function answered(
  raw: readonly string[],
  upstream: Readonly<Record<string, unknown>> = {},
  { answer = 'plain', status = 200, ...asked }: Partial<Asked> & { readonly status?: number } = {},
): string[] {
  const match = { path: '/app/*' };
  const config = routeConfig({ match, upstream: { http: 'http://app.internal:3000', ...upstream } }).upstream;
  const [target] = targetsOf(config, 'http');
  if (target === undefined) throw new Error('no target');
  const request = plainOf();
  const context = { request, target, host: request.authority, answer, ...asked };
  return compileAnswerFields(config)(context)(raw, status);
}

describe('an answer', () => {
  const raw = [
    'X-One',
    '1',
    'x-one',
    '\xe9',
    'Server',
    's',
    'Date',
    'd',
    'Set-Cookie',
    'a',
    'X-Request-Id',
    'i',
  ];

  test.each(['plain', 'trailers', 'handshake'] as const)(
    '(%s) keeps what is end-to-end, as sent',
    (answer) => {
      expect(answered(raw, {}, { answer })).toEqual(raw);
      expect(endToEndFields({ raw, status: 200, answer })).toEqual(raw);
    },
  );

  test.each([
    'Connection',
    'Keep-Alive',
    'Proxy-Authenticate',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'Expect',
    'Sec-WebSocket-Accept',
    'Sec-WebSocket-Extensions',
  ])('never has %s', (name) => {
    for (const answer of ['plain', 'handshake'] as const)
      expect(answered([name, 'x', 'A', 'b'], {}, { answer })).toEqual(['A', 'b']);
  });

  test('has nothing that Connection nominates', () => {
    const nominating = [
      'X-A',
      '1',
      'Connection',
      'keep-alive, x_a',
      'X-B',
      '2',
      'connection',
      'X-C',
      'x-c',
      '3',
    ];
    expect(answered(nominating)).toEqual(['X-B', '2']);
  });

  test('says its length last, and not where its body is framed anew', () => {
    const sized = ['CONTENT-Length', '2', 'Content-Disposition', 'inline; filename=\xe9'];
    expect(answered(sized)).toEqual([...sized.slice(2), ...sized.slice(0, 2)]);
    expect(answered(sized, {}, { answer: 'handshake' })).toEqual(sized.slice(2));
  });

  test('has no length by a name that only looks like one', () => {
    expect(answered(['content_length', '2', 'a', 'b'])).toEqual(['content_length', '2', 'a', 'b']);
  });

  test.each<[string, readonly string[], string[]]>([
    [
      'behind chunks',
      ['Trailer', 'x-t', 'Transfer-Encoding', 'chunked', 'A', 'b'],
      ['A', 'b', 'Trailer', 'x-t'],
    ],
    ['not behind a length', ['Trailer', 'x-t', 'Content-Length', '1'], ['Content-Length', '1']],
  ])('has trailers for a client that takes them: %s', (_name, sent, expected) => {
    expect(answered(sent, {}, { answer: 'trailers' })).toEqual(expected);
  });

  test.each([103, 204, 304])('with status %i, which has no body, has no trailers', (status) => {
    const sent = ['Trailer', 'x-t', 'Transfer-Encoding', 'chunked', 'A', 'b'];
    expect(answered(sent, {}, { answer: 'trailers', status })).toEqual(['A', 'b']);
  });

  test.each([103, 204])('with status %i has no length', (status) => {
    expect(answered(['Content-Length', '5', 'A', 'b'], {}, { status })).toEqual(['A', 'b']);
  });

  test.each(['plain', 'handshake'] as const)('(%s) with status 426 says what is to be spoken', (answer) => {
    const sent = ['Upgrade', 'HTTP/3.0, TLS/1.2', 'Connection', 'keep-alive, Upgrade', 'A', 'b'];
    expect(answered(sent, {}, { answer, status: 426 })).toEqual(['Upgrade', 'HTTP/3.0, TLS/1.2', 'A', 'b']);
  });

  test('is changed as the route says', () => {
    const answerHeaders = { set: { 'X-Env': 'prod', 'x-new': '1' }, remove: ['SERVER'] };
    const sent = [
      'X-ENV',
      'dev',
      'x_env',
      'dev',
      'Server',
      's',
      'SERVER',
      't',
      'A',
      'b',
      'Content-Length',
      '1',
    ];
    const rest = ['A', 'b', 'x-env', 'prod', 'x-new', '1'];
    expect(answered(sent, { answerHeaders })).toEqual([...rest, 'Content-Length', '1']);
    expect(answered(sent, { answerHeaders }, { answer: 'handshake' })).toEqual(rest);
  });

  test.each([
    [{}, {}, '/base/x', '/base/x'],
    [{ stripPrefix: '/app' }, {}, '/x', '/app/x'],
    [{ stripPrefix: '/app' }, {}, 'http://app.example.com/x', 'http://app.example.com/app/x'],
    [{ http: 'http://app.internal:3000/base/' }, {}, '/base/x', '/x'],
    [{}, { host: 'app.internal:3000' }, 'http://app.internal:3000/x', 'https://app.example.com/x'],
    [
      { http: 'https://app.internal' },
      { host: 'app.internal' },
      'https://app.internal/x',
      'https://app.example.com/x',
    ],
    [
      { http: 'https://app.internal' },
      { host: 'app.internal' },
      'http://app.internal/x',
      'http://app.internal/x',
    ],
  ])(
    'of %j, asked as %j, has its places called as the client does: %s',
    (upstream, asked, value, expected) => {
      const sent = ['Location', value, 'content-location', value, 'X-Location', value];
      const mapped = ['Location', expected, 'content-location', expected, 'X-Location', value];
      expect(answered(sent, upstream, asked)).toEqual(mapped);
    },
  );

  test('is mapped to what a trusted proxy was asked for', () => {
    const request = plainOf({
      isPeerTrusted: true,
      secure: false,
      clientAuthority: 'site.test:81',
      headers: [['X-Forwarded-Prefix', '/front/']],
    });
    const sent = ['Location', 'http://a.b/x', 'Location', '/front/app/x', 'Set-Cookie', 'a=1; Path=/'];
    expect(answered(sent, { stripPrefix: '/app' }, { request, host: 'a.b' })).toEqual([
      'Location',
      'http://site.test:81/app/x',
      'Location',
      '/front/app/x',
      'Set-Cookie',
      'a=1; Path=/app',
    ]);
  });
});

test('an answer of a WebSocket target beside http has no prefix to get back', () => {
  const upstream = { stripPrefix: '/app', websocket: 'ws://app.internal' };
  const { upstream: config } = routeConfig({
    match: { path: '/app/*' },
    upstream: { http: 'http://a', ...upstream },
  });
  const [target] = targetsOf(config, 'websocket');
  if (target === undefined) throw new Error('no target');
  const request = plainOf();
  const context = { request, target, host: request.authority, answer: 'handshake' } as const;
  expect(compileAnswerFields(config)(context)(['Location', '/x'], 404)).toEqual(['Location', '/x']);
});

test('a flat list is read in pairs', () => {
  expect(pairsOf(['a', '1', 'b', '2'])).toEqual([
    ['a', '1'],
    ['b', '2'],
  ]);
});
