import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../../../src/bridge/poll/backoff.ts';
import { decodeEvents, encodeEvents } from '../../../../src/bridge/poll/websocket-over-http/events.ts';
import { closeOf, fixtures, inboxOf } from '../../../support/poll.ts';

/** A service whose connections break at every turn. */

const { service, harness, undo } = fixtures();
afterEach(undo);

const TYPE = { 'content-type': 'application/websocket-events' };
const QUICK: Clock = { ...systemClock, sleep: (_, signal) => sleep(1, undefined, { signal }) };
const COUNT = 10_000;
const numbers = Array.from({ length: COUNT }, (_, number) => `${number}`);

/** Says every message back. Of its answers to messages every third is cut: before it, in its head, or in its body. */
async function startBreaking({ remembers }: { remembers: boolean }) {
  const got: string[] = [];
  const keys: string[] = [];
  const answers = new Map<string, Buffer>();
  let turn = 0;
  const backend = await service((request, response) => {
    const events = decodeEvents(request.body);
    const key = String(request.headers['idempotency-key']);
    const isOpen = events[0]?.type === 'OPEN';
    const answer = answers.get(key) ?? encodeEvents(events.filter(({ type }) => type !== 'DISCONNECT'));
    if (!isOpen) keys.push(key);
    if (!answers.has(key) || !remembers)
      got.push(...events.flatMap(({ type, content }) => (type === 'TEXT' ? `${content}` : [])));
    if (remembers && !isOpen) answers.set(key, answer);
    if (isOpen || ++turn % 3 > 0) return void response.writeHead(200, TYPE).end(answer);
    if (turn % 9 === 0) return void response.destroy();
    response.writeHead(200, { ...TYPE, 'content-length': answer.length + 1 });
    if (turn % 9 === 3) response.flushHeaders();
    else response.write(answer);
    setImmediate(() => response.destroy());
  });
  return { backend, got, keys };
}

test('with retry: idempotent ten thousand messages reach the service and come back, each once and in order', async () => {
  const { backend, got, keys } = await startBreaking({ remembers: true });
  const poll = {
    profile: 'websocket-over-http',
    target: backend.url,
    retry: 'idempotent',
    batch: { messages: 100 },
  };
  const client = await (await harness(poll, { clock: QUICK })).connect();
  const inbox = inboxOf(client);
  for (const number of numbers) client.send(number);
  await inbox.atLeast(COUNT, 15_000);
  expect(inbox.texts).toEqual(numbers);
  expect(got).toEqual(numbers);
  // What came twice came with the same key.
  expect(keys.length).toBeGreaterThan(new Set(keys).size);
});

test('without it the session ends with a code where nobody knows what has arrived, and nothing arrives twice', async () => {
  const { backend, got } = await startBreaking({ remembers: false });
  const poll = { profile: 'websocket-over-http', target: backend.url, batch: { messages: 100 } };
  const gateway = await harness(poll, { clock: QUICK });
  const client = await gateway.connect();
  const inbox = inboxOf(client);
  const closed = closeOf(client);
  for (const number of numbers) client.send(number);
  expect(await closed).toEqual({ code: 1014, reason: expect.stringMatching(/./) });
  expect(got.length).toBeGreaterThan(inbox.texts.length);
  expect(got).toEqual(numbers.slice(0, got.length));
  expect(inbox.texts).toEqual(numbers.slice(0, inbox.texts.length));
});
