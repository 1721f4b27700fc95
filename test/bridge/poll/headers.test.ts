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
  const headersOf = compileHeaders({ pass: ['cookie', 'user-agent'], add: {}, own: ['x-user'] });
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
    const headers = compileHeaders({ pass: [name.toLowerCase()], add: {}, own: [] })(request([[name, 'x']]));
    expect(Object.keys(headers)).toEqual(['accept-encoding', 'x-connection-id']);
  },
);

test('passes a field of any name as it came', () => {
  const headersOf = compileHeaders({ pass: ['constructor'], add: {}, own: [] });
  const headers = headersOf(
    request([
      ['Constructor', 'a'],
      ['constructor', 'b'],
    ]),
  );
  expect(headers.constructor).toBe('a, b');
});

test('does not let the client name the connection', () => {
  const headers = compileHeaders({ pass: ['x-connection-id'], add: {}, own: [] })(
    request([['X-Connection-Id', 'stolen']]),
  );
  expect(headers['x-connection-id']).toBe('c-1');
});

test('passes what trusted proxies alone may say, if the route says so', () => {
  const headersOf = compileHeaders({ pass: ['cf-connecting-ip'], add: {}, own: [] });
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
  expect(compileHeaders({ pass: [], add: {}, own: [], host })(request([])).host).toBe(expected);
});

test('adds what is known of the client, in place of what it says itself', () => {
  const headersOf = compileHeaders({
    pass: ['x_user', 'cookie'],
    add: { 'x-user': '{claims.sub}', 'x-room': 'room={room}', 'x-none': '{claims.no}', cookie: 'a=1' },
    own: ['x-none'],
  });
  const known = { captures: { room: 'blue' }, grant: { claims: { sub: 'ann\r\nx: y' }, releases: [] } };
  const sent: [string, string][] = [
    ['X_User', 'root'],
    ['X-None', 'root'],
    ['Cookie', 'b=2'],
  ];
  expect(headersOf({ ...request(sent), ...known })).toEqual({
    'accept-encoding': 'identity',
    'x-connection-id': 'c-1',
    'x-user': 'ann%0D%0Ax: y',
    'x-room': 'room=blue',
    cookie: 'a=1',
  });
});
