import { expect, test } from 'vitest';
import { PinnedClient } from '../../../src/bridge/poll/session-client.ts';
import { collect } from '../../../src/upstream/streamed-answer.ts';
import { peer, respond } from '../../support/http-target.ts';

const { signal } = new AbortController();
const LIMITS = { signal, timeoutMs: 5_000, bodySize: 100 };

test.each(['exchange', 'stream'] as const)(
  '%s says what the session says, and keeps its cookies',
  async (how) => {
    const { received, target } = await peer((socket) =>
      socket.write(respond('ok', 'Set-Cookie: node=7\r\n')),
    );
    const proof = () => ({ fields: [['x-proof', 'p']] as const, query: 'key=k', protocols: [] });
    const client = new PinnedClient(target, { 'x-connection-id': 'c', cookie: 'own=1' }, proof);
    const request = { method: 'GET', path: '/poll?a=b', headers: { 'x-own': 'o' } };
    for (let i = 0; i < 2; i++) {
      const answer =
        how === 'exchange'
          ? await client.exchange(request, LIMITS)
          : await collect(await client.stream(request, { signal, silenceMs: 5_000 }), LIMITS);
      expect(String(answer.body)).toBe('ok');
    }
    for (const text of received)
      expect(text).toMatch(/^GET \/poll\?a=b&key=k .*x-connection-id: c.*x-proof: p.*x-own: o/s);
    expect(received.map((text) => /cookie: (.*)\r/.exec(text)?.[1])).toEqual(['own=1', 'own=1; node=7']);
  },
);
