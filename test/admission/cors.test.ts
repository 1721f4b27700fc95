import { describe, expect, test } from 'vitest';
import { createCors, isPreflight } from '../../src/admission/cors.ts';
import { GatewayError } from '../../src/errors.ts';
import type { GatewayRequest, HeaderField } from '../../src/http/request.ts';
import { plainOf, routeConfig } from '../support/handshakes.ts';

const ORIGIN = 'https://app.example.com';
const ASKED: HeaderField = ['Access-Control-Request-Method', 'PUT'];

const cookies = { auth: { issuer: 'main', token: ['header', 'cookie:session'] } };

function corsOf(changes: Readonly<Record<string, unknown>> = {}) {
  const upstream = { http: 'http://127.0.0.1:1' };
  return createCors(routeConfig({ origins: [ORIGIN, 'https://*.example.org'], upstream, ...changes }));
}

function preflightOf(given: Partial<GatewayRequest> = {}): GatewayRequest {
  return plainOf({ method: 'OPTIONS', origin: ORIGIN, headers: [ASKED], ...given });
}

/** Names and values that alternate, as pairs. */
function pairs(fields: readonly string[]): string[][] {
  return Array.from({ length: fields.length / 2 }, (_, at) => fields.slice(2 * at, 2 * at + 2));
}

describe('a preflight', () => {
  test.each<[string, Partial<GatewayRequest>]>([
    ['a method and an origin', {}],
    ['fields as well', { headers: [ASKED, ['Access-Control-Request-Headers', 'authorization']] }],
    ['its name in any case', { headers: [['ACCESS-CONTROL-REQUEST-METHOD', 'PUT']] }],
    ['a body of no length', { headers: [ASKED, ['Content-Length', '0']] }],
  ])('asks for %s', (_, given) => {
    expect(isPreflight(preflightOf(given))).toBe(true);
  });

  test.each<[string, Partial<GatewayRequest>]>([
    ['another method', { method: 'GET' }],
    ['no origin', { origin: undefined }],
    ['no method to ask for', { headers: [] }],
    ['two of them', { headers: [ASKED, ASKED] }],
    ['one that is no method', { headers: [['Access-Control-Request-Method', 'A, B']] }],
    ['an Authorization', { headers: [ASKED, ['authorization', 'Basic YTpi']] }],
    ['a cookie', { headers: [['Cookie', 'a=b'], ASKED] }],
    ['a body', { headers: [ASKED, ['Content-Length', '2']] }],
    ['another method in its fields', { headers: [ASKED, ['X-HTTP-Method-Override', 'DELETE']] }],
    ['one by another name', { headers: [ASKED, ['x_http_method', 'DELETE']] }],
    ['one by a third name', { headers: [['X-Method-Override', 'DELETE'], ASKED] }],
    ['a body of unknown length', { headers: [['Transfer-Encoding', 'chunked'], ASKED] }],
    ['a length that is none', { headers: [['Content-Length', 'x'], ASKED] }],
  ])('is none with %s', (_, given) => {
    expect(isPreflight(preflightOf(given))).toBe(false);
  });

  test('is answered with what it asks for', () => {
    const fields: HeaderField[] = [
      ['Access-Control-Request-Headers', 'authorization,x-a'],
      ['Access-Control-Request-Headers', 'x-b'],
    ];
    expect(pairs(corsOf().preflight(preflightOf({ headers: [ASKED, ...fields] })))).toEqual([
      ['access-control-allow-origin', ORIGIN],
      ['access-control-allow-methods', 'PUT'],
      ['access-control-allow-headers', 'authorization,x-a, x-b'],
      ['access-control-max-age', '600'],
      ['vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers'],
    ]);
  });

  test('is told that cookies may come where they may hold the token, and of no fields where it asks for none', () => {
    expect(pairs(corsOf(cookies).preflight(preflightOf()))).toEqual([
      ['access-control-allow-origin', ORIGIN],
      ['access-control-allow-credentials', 'true'],
      ['access-control-allow-methods', 'PUT'],
      ['access-control-max-age', '600'],
      ['vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers'],
    ]);
  });
});

describe('a refusal', () => {
  const missing = new GatewayError('TOKEN_MISSING', { headers: { 'www-authenticate': 'Bearer' } });

  test.each(['upstream', 'answer'])('may be read by a page that is let in, with cors: %s', (cors) => {
    const request = plainOf({ origin: 'https://a.example.org' });
    expect(corsOf({ cors }).refusal(request, missing)).toEqual({
      'access-control-allow-origin': 'https://a.example.org',
      'access-control-expose-headers': 'www-authenticate',
      vary: 'Origin',
    });
  });

  test('may be read by a page that sends cookies where they may hold the token', () => {
    expect(corsOf(cookies).refusal(plainOf({ origin: ORIGIN }), missing)).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-credentials': 'true',
    });
  });

  test('shows the fields that say when to come again, and no others', () => {
    const ratelimit = { ratelimit: 'r', 'ratelimit-policy': 'p', allow: 'GET' };
    const shown = (error: GatewayError) =>
      corsOf().refusal(plainOf({ origin: ORIGIN }), error)['access-control-expose-headers'];
    expect(shown(new GatewayError('RATE_LIMITED', { headers: ratelimit }))).toBe(
      'retry-after, ratelimit, ratelimit-policy',
    );
    expect(shown(new GatewayError('UPSTREAM_LOST'))).toBeUndefined();
  });

  test.each([undefined, 'null', 'https://evil.example', 'https://app.example.com.evil.example'])(
    'says nothing to a request with the origin %s',
    (origin) => {
      expect(corsOf().refusal(plainOf({ origin }), missing)).toEqual({});
    },
  );

  test('may be read by a page of the same host where the route names no origins', () => {
    const cors = corsOf({ origins: undefined });
    expect(cors.refusal(plainOf({ origin: ORIGIN }), missing)).toMatchObject({
      'access-control-allow-origin': ORIGIN,
    });
    expect(cors.refusal(plainOf({ origin: 'https://a.example.org' }), missing)).toEqual({});
  });
});

describe("the service's answer", () => {
  const answer = ['Content-Type', 'text/plain', 'Access-Control-Allow-Origin', '*'];

  test('passes as it is with cors: upstream', () => {
    expect(corsOf().answer(answer, plainOf({ origin: ORIGIN }))).toEqual(answer);
  });

  test.each<[string, Readonly<Record<string, unknown>>, string[], string[]]>([
    ['is given its page', {}, [], ['vary', 'Origin', 'access-control-allow-origin', ORIGIN]],
    [
      'has our word in place of its own',
      cookies,
      ['ACCESS-CONTROL-ALLOW-ORIGIN', '*', 'Access-Control-Allow-Credentials', 'false'],
      [
        ...['vary', 'Origin', 'access-control-allow-origin', ORIGIN],
        ...['access-control-allow-credentials', 'true'],
      ],
    ],
    [
      'keeps what it shows, and everything else',
      {},
      ['Access-Control-Expose-Headers', 'X-Total', 'Set-Cookie', 'a', 'Set-Cookie', 'b', 'Vary', 'Accept'],
      [
        ...[
          'Access-Control-Expose-Headers',
          'X-Total',
          'Set-Cookie',
          'a',
          'Set-Cookie',
          'b',
          'Vary',
          'Accept',
        ],
        ...['vary', 'Origin', 'access-control-allow-origin', ORIGIN],
      ],
    ],
    [
      'is not said twice to depend on Origin',
      {},
      ['Vary', 'Accept, ORIGIN'],
      ['Vary', 'Accept, ORIGIN', 'access-control-allow-origin', ORIGIN],
    ],
    ['may depend on anything', {}, ['Vary', '*'], ['Vary', '*', 'access-control-allow-origin', ORIGIN]],
  ])('%s with cors: answer', (_, route, fields, expected) => {
    const cors = corsOf({ cors: 'answer', ...route });
    expect(cors.answer(fields, plainOf({ origin: ORIGIN }))).toEqual(expected);
  });

  test('depends on Origin without one too, lest a cache gives it to a page', () => {
    expect(corsOf({ cors: 'answer' }).answer(answer, plainOf())).toEqual([
      ...['Content-Type', 'text/plain'],
      ...['vary', 'Origin'],
    ]);
  });
});
