import { afterEach, describe, expect, test } from 'vitest';
import {
  closeOf,
  type Harness,
  type HarnessOptions,
  inboxOf,
  pollRoute,
  type ServiceHandler,
  startHarness,
  startService,
  type TestService,
  until,
} from '../../support/poll.ts';

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function service(handler: ServiceHandler): Promise<TestService> {
  const started = await startService(handler);
  undo.push(started.stop);
  return started;
}

async function harness(poll: object, rest?: object, options?: HarnessOptions): Promise<Harness> {
  const started = await startHarness(pollRoute(poll, rest), options);
  undo.push(started.close);
  return started;
}

const POLL = { path: '/poll' };

describe('messages', () => {
  test('carries a text and a binary message each way', async () => {
    const feed = ['text/plain', 'application/octet-stream'];
    const backend = await service((request, response) => {
      if (request.url !== '/poll') return void response.end();
      const type = feed.shift();
      if (type) response.writeHead(200, { 'content-type': type }).end('äh');
    });
    const gateway = await harness({ target: backend.url, poll: POLL, send: { path: '/send' } });
    const client = await gateway.connect();
    const inbox = inboxOf(client);
    client.send('héllo');
    client.send(Buffer.from([0, 255]));
    await inbox.atLeast(2);
    await until(() => backend.requests.filter(({ url }) => url === '/send').length === 2);
    expect(inbox.messages).toEqual([
      { data: Buffer.from('äh'), binary: false },
      { data: Buffer.from('äh'), binary: true },
    ]);
    const sends = backend.requests.filter(({ url }) => url === '/send');
    expect(sends.map(({ body, headers }) => [headers['content-type'], body.toString('latin1')])).toEqual([
      ['text/plain; charset=utf-8', Buffer.from('héllo').toString('latin1')],
      ['application/octet-stream', '\x00\xff'],
    ]);
    client.close(1000, 'bye');
    expect(await closeOf(client)).toEqual({ code: 1000, reason: 'bye' });
    expect(await gateway.endings[0]).toEqual({ code: 1000, reason: 'bye', by: 'client' });
  });
});
