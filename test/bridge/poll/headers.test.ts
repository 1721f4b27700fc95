import { expect, test } from 'vitest';
import { compileHeaders } from '../../../src/bridge/poll/headers.ts';
import type { AdmittedRequest } from '../../../src/upstream/forward.ts';

function request(upstreamHeaders: [string, string][]): AdmittedRequest {
  return {
    id: 'r-9',
    connectionId: 'c-1',
    authority: 'app.example.com',
    upstreamHeaders,
  } as unknown as AdmittedRequest;
}

test('passes what is allowed, who the client is and how it came, and nothing else', () => {
  const headersOf = compileHeaders({ allowed: ['cookie', 'user-agent'], own: ['x-user'] });
  const headers = headersOf(
    request([
      ['Host', 'app.example.com'],
      ['Cookie', 'a=1'],
      ['Cookie', 'b=2'],
      ['User-Agent', 'test'],
      ['X-User', 'ann'],
      ['X-Admin', 'yes'],
      ['X-Forwarded-For', '192.0.2.1'],
      ['Forwarded', 'for=192.0.2.1'],
      ['X-Request-Id', 'r-1'],
    ]),
  );
  expect(headers).toEqual({
    'accept-encoding': 'identity',
    'x-connection-id': 'c-1',
    cookie: 'a=1; b=2',
    'user-agent': 'test',
    'x-user': 'ann',
    'x-forwarded-for': '192.0.2.1',
    forwarded: 'for=192.0.2.1',
    'x-request-id': 'r-1',
  });
});

test.each(['Host', 'Connection', 'Content-Length', 'Transfer-Encoding', 'Idempotency-Key', 'Expect'])(
  'never passes %s on, even if the route says so',
  (name) => {
    const headers = compileHeaders({ allowed: [name.toLowerCase()], own: [] })(request([[name, 'x']]));
    expect(Object.keys(headers)).toEqual(['accept-encoding', 'x-connection-id']);
  },
);

test('does not let the client name the connection', () => {
  const headers = compileHeaders({ allowed: ['x-connection-id'], own: [] })(
    request([['X-Connection-Id', 'stolen']]),
  );
  expect(headers['x-connection-id']).toBe('c-1');
});

test('passes what trusted proxies alone may say, if the route says so', () => {
  const headersOf = compileHeaders({ allowed: ['cf-connecting-ip'], own: [] });
  expect(headersOf(request([['CF-Connecting-IP', '192.0.2.1']]))).toMatchObject({
    'cf-connecting-ip': '192.0.2.1',
  });
});

test.each([
  [undefined, undefined],
  ['upstream', undefined],
  ['client', 'app.example.com'],
  ['app.internal:81', 'app.internal:81'],
])('asks with host %s for %s', (host, expected) => {
  expect(compileHeaders({ allowed: [], own: [], host })(request([])).host).toBe(expected);
});
