import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { asHeaders, bodyOf, compileHead } from '../../src/passthrough/head.ts';
import { compileForward } from '../../src/upstream/forward.ts';
import { targetsOf } from '../../src/upstream/target.ts';
import { grantOf, plainOf, routeConfig } from '../support/handshakes.ts';

function message(headers: IncomingHttpHeaders): IncomingMessage {
  return { headers } as IncomingMessage;
}

test('fields of one name are one list, in the spelling of the first and in their order', () => {
  const headers = asHeaders([
    ['X-Two', '1'],
    ['Host', 'a'],
    ['x-two', '2'],
    ['X-TWO', '3'],
    ['__proto__', 'x'],
    ['__proto__', 'z'],
    ['constructor', 'y'],
  ]);
  expect(Object.entries(headers)).toEqual([
    ['X-Two', ['1', '2', '3']],
    ['Host', 'a'],
    ['constructor', 'y'],
  ]);
});

describe('the heads of a request and its answer', () => {
  const route = routeConfig({ upstream: { http: 'http://127.0.0.1:3000', host: 'upstream' } });
  const headOf = compileHead(route.upstream, compileForward(route, 'http'));
  const [target] = targetsOf(route.upstream, 'http');
  const CHUNKED = ['Trailer', 'x-sum', 'Transfer-Encoding', 'chunked'];

  function heads(method: string, trailers: boolean, grant = grantOf()) {
    if (target === undefined) throw new Error('no target');
    const request = plainOf({ method, headers: [['A', 'b']] });
    const framing = [['content-length', '1']] as const;
    const { headers, answerFields } = headOf({ request, grant, target, framing, trailers });
    return { names: Object.keys(headers), headers, answered: answerFields(CHUNKED, 200) };
  }

  test('begin with the Host and end with the framing', () => {
    const { names, headers, answered } = heads('POST', false);
    expect(headers).toMatchObject({ Host: '127.0.0.1:3000', A: 'b' });
    expect([names[0], names.at(-1)]).toEqual(['Host', 'content-length']);
    expect(names).not.toContain('TE');
    expect(answered).toEqual([]);
  });

  test('ask for trailers where the client does, and announce them where the client gets a body', () => {
    expect(heads('GET', true)).toMatchObject({ headers: { TE: 'trailers' }, answered: ['Trailer', 'x-sum'] });
    expect(heads('HEAD', true)).toMatchObject({ headers: { TE: 'trailers' }, answered: [] });
    expect(heads('OPTIONS', true, grantOf({ isUnproven: true })).answered).toEqual([]);
  });
});

test.each<[IncomingHttpHeaders, ReturnType<typeof bodyOf>]>([
  [{}, { present: false, framing: [] }],
  [{ trailer: 'x' }, { present: false, framing: [] }],
  [
    { 'content-length': '0', trailer: 'x' },
    { present: false, framing: [['content-length', '0']] },
  ],
  [{ 'content-length': '2' }, { present: true, framing: [['content-length', '2']] }],
  [{ 'transfer-encoding': 'Chunked' }, { present: true, framing: [['transfer-encoding', 'chunked']] }],
  [
    { 'transfer-encoding': 'chunked', trailer: 'x-sum' },
    {
      present: true,
      framing: [
        ['transfer-encoding', 'chunked'],
        ['trailer', 'x-sum'],
      ],
    },
  ],
])('the body of %j is framed so', (headers, expected) => {
  expect(bodyOf(message(headers))).toEqual(expected);
});
