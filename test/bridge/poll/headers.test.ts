import { expect, test } from 'vitest';
import { compileHeaders } from '../../../src/bridge/poll/headers.ts';
import type { AdmittedRequest } from '../../../src/upstream/forward.ts';

function request(upstreamHeaders: [string, string][]): AdmittedRequest {
  return { id: 'c-1', upstreamHeaders } as unknown as AdmittedRequest;
}

test('passes what is allowed, who the client is and how it came, and nothing else', () => {
  const headersOf = compileHeaders(['cookie', 'user-agent'], ['x-user']);
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
    const headers = compileHeaders([name.toLowerCase()], [])(request([[name, 'x']]));
    expect(Object.keys(headers)).toEqual(['accept-encoding', 'x-connection-id']);
  },
);

test('does not let the client name the connection', () => {
  const headers = compileHeaders(['x-connection-id'], [])(request([['X-Connection-Id', 'stolen']]));
  expect(headers['x-connection-id']).toBe('c-1');
});
