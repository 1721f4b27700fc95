import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { closeOf, fixtures, inboxOf, rawClient, until } from '../../support/poll.ts';
import { fastClock } from '../../support/poll-clock.ts';

/** A service that streams its messages, behind a real WebSocket. */

const { service, harness, undo } = fixtures();
afterEach(undo);

const SSE = { 'content-type': 'text/event-stream' };
const STREAM = {
  poll: { path: '/news', mode: 'stream', silence: '10s' },
  cursor: { from: 'event:id', send: 'header:last-event-id' },
  messages: { framing: 'sse' },
};

describe('events', () => {
  test('are delivered while the body runs, and it is taken up behind the last of them when it is cut', async () => {
    const open: ServerResponse[] = [];
    const backend = await service((_, response) => {
      response.writeHead(200, SSE).flushHeaders();
      open.push(response);
    });
    const gateway = await harness({ target: backend.url, ...STREAM });
    const inbox = inboxOf(await gateway.connect());
    await until(() => open.length === 1);
    open[0]?.write('id: 1\ndata: one\n\nid: 2\nda');
    expect(await inbox.atLeast(1)).toEqual(['one']);
    open[0]?.write('ta: two\n\nid: 3\ndata: cu');
    expect(await inbox.atLeast(2)).toEqual(['one', 'two']);
    open[0]?.destroy();
    await until(() => open.length === 2);
    expect(backend.requests[1]?.headers['last-event-id']).toBe('2');
    open[1]?.write('id: 3\ndata: three\n\n');
    expect(await inbox.atLeast(3)).toEqual(['one', 'two', 'three']);
  });

  test('are asked for anew when none has come for too long', async () => {
    const backend = await service((_, response) => response.writeHead(200, SSE).flushHeaders());
    const poll = { ...STREAM.poll, silence: '110ms' };
    const gateway = await harness({ target: backend.url, ...STREAM, poll, outage: '1ms' });
    await gateway.connect();
    await until(() => backend.requests.length === 3);
  });

  test('wait for a client that does not read', async () => {
    const size = 64 * 1024;
    let written = 0;
    const backend = await service(async (_, response) => {
      response.writeHead(200, SSE);
      for (let id = 1; id <= 1_000; id++) {
        written++;
        if (!response.write(`id: ${id}\ndata: ${'x'.repeat(size)}\n\n`))
          await new Promise((resolve) => response.once('drain', resolve));
      }
    });
    const gateway = await harness(
      { target: backend.url, ...STREAM },
      { session: { stallMs: 300, closeMs: 100 } },
    );
    (await rawClient(gateway)).pause();
    expect(await gateway.endings[0]).toMatchObject({ error: { code: 'PEER_STALLED' } });
    // What the kernel's buffers of two loopback connections hold.
    expect(written).toBeLessThan(500);
  });
});

test.each([
  [404, 1014],
  [403, 3003],
])('a service that answers %i closes the client with %i', async (status, code) => {
  const backend = await service((_, response) => void response.writeHead(status).end('no'));
  const gateway = await harness({ target: backend.url, ...STREAM }, fastClock());
  const reason = `The service answered ${status} to a poll.`;
  expect(await closeOf(await gateway.connect())).toEqual({ code, reason });
});
