import { afterEach, describe, expect, test } from 'vitest';
import { exampleFeed } from '../../../support/feeds.ts';
import { turns } from '../../../support/pairs.ts';
import { closeOf, fixtures, inboxOf, rawClient, until } from '../../../support/poll.ts';
import { fastClock } from '../../../support/poll-clock.ts';
import { StubQueue } from '../../../support/queue.ts';
import { framesIn, PING } from '../../../support/raw.ts';

/** Queues, whose messages come again until they are deleted. */

const { service, harness, undo } = fixtures();
afterEach(undo);

async function start(more: object = {}) {
  const queue = new StubQueue();
  const { url } = await service(queue.handler);
  const { poll, route } = exampleFeed('sqs', url);
  const gateway = await harness({ ...poll, ...more }, { ...fastClock(), route });
  return { queue, gateway };
}

const letters = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `"${from + index}"`);

describe('SQS', () => {
  test('has its messages deleted, ten at a time, once the client has them', async () => {
    const { queue, gateway } = await start();
    queue.put(...letters(1, 25));
    const client = await gateway.connect();
    const inbox = inboxOf(client);
    expect(await inbox.atLeast(25)).toEqual(letters(1, 25));
    await until(() => queue.entries.length === 0);
    client.send('said "here"');
    expect(await inbox.atLeast(26)).toContain('said "here"');
    await until(() => queue.entries.length === 0);
    const [first] = queue.named('DeleteMessageBatch');
    expect(first?.Entries).toHaveLength(10);
    expect(first?.Entries[0]).toEqual({ Id: 'id-1', ReceiptHandle: 'r"1"' });
    expect(queue.named('ReceiveMessage')[0]).toMatchObject({ WaitTimeSeconds: 20, MaxNumberOfMessages: 10 });
    expect(inbox.texts).toHaveLength(26);
  });

  test('deletes nothing that the client has not answered for: another gets it', async () => {
    const { queue, gateway } = await start();
    queue.put('a', 'b');
    const lost = await rawClient(gateway);
    let got = Buffer.alloc(0);
    lost.on('data', (chunk: Buffer) => {
      got = Buffer.concat([got, chunk]);
    });
    await until(() => framesIn(got).some(({ opcode }) => opcode === PING));
    expect(queue.named('DeleteMessageBatch')).toEqual([]);
    lost.destroy();
    await gateway.endings[0];
    queue.expire();
    expect(await inboxOf(await gateway.connect()).atLeast(2)).toEqual(['a', 'b']);
    await until(() => queue.entries.length === 0);
    expect(queue.named('DeleteMessageBatch')).toHaveLength(1);
  });

  test('is told again where it failed, and not asked for more before', async () => {
    const { queue, gateway } = await start();
    queue.refusals.push(500, 200, 429);
    queue.put('a');
    const inbox = inboxOf(await gateway.connect());
    await until(() => queue.entries.length === 0);
    queue.put('b');
    expect(await inbox.atLeast(2)).toEqual(['a', 'b']);
    const names = queue.actions.map(({ name }) => name).slice(0, 6);
    expect(names).toEqual(['ReceiveMessage', ...Array(4).fill('DeleteMessageBatch'), 'ReceiveMessage']);
  });

  test('that will not delete is the end', async () => {
    const { queue, gateway } = await start();
    queue.refusals.push(400);
    queue.put('a');
    const client = await gateway.connect();
    expect(await closeOf(client)).toEqual({
      code: 1014,
      reason: 'The service answered 400 to a confirmation.',
    });
    const { error } = (await gateway.endings[0]) ?? {};
    expect(error?.detail).toContain('the messages that the client has may come again');
  });
});

test('a client that leaves with its messages has them deleted, and then the service hears of the end', async () => {
  const goodbye = { method: 'POST', path: '/', headers: { 'x-amz-target': 'AmazonSQS.Bye' }, body: '{}' };
  const { queue, gateway } = await start({
    ack: undefined,
    close: { ...goodbye, type: 'application/x-amz-json-1.0' },
  });
  const held = Promise.withResolvers<void>();
  queue.held = held.promise;
  queue.put('a');
  const client = await gateway.connect();
  await inboxOf(client).atLeast(1);
  await until(() => queue.named('DeleteMessageBatch').length === 1);
  client.close();
  await until(() => client.readyState === client.CLOSED);
  await turns();
  held.resolve();
  await until(() => queue.done.includes('Bye'));
  expect(queue.done).toEqual(['ReceiveMessage', 'DeleteMessageBatch', 'Bye']);
  expect(queue.entries).toEqual([]);
});
