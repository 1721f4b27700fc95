import { describe, expect, test } from 'vitest';
import { Backoff } from '../../../src/bridge/poll/backoff.ts';
import type { Batch, Message, Sends } from '../../../src/bridge/poll/profile.ts';
import { Sender } from '../../../src/bridge/poll/sending.ts';
import type { HttpAnswer } from '../../../src/upstream/client.ts';
import { exchanges, pieces } from '../../support/exchanges.ts';
import { turns } from '../../support/pairs.ts';
import { fastClock } from '../../support/poll-clock.ts';

/** How the client's messages go to a service that a test answers for. */

const text = (data: string): Message => ({ data, binary: false });
const asMessage = ({ body }: HttpAnswer): Batch => ({
  messages: [text(String(body))],
  cursor: 'none',
  commit() {},
});

function stand(changes: Partial<Sends> = {}) {
  const { http, waiting, bodies } = exchanges();
  const { clock } = fastClock();
  const delivered: string[] = [];
  const failures: unknown[] = [];
  const sends: Sends = {
    timeoutMs: 1_000,
    answerSize: 1_000,
    resends: false,
    concurrency: 1,
    inOrder: true,
    send: (messages) => ({
      method: 'POST',
      path: '/',
      headers: {},
      body: messages.map(({ data }) => data).join('+'),
    }),
    sent: asMessage,
    ...changes,
  };
  const sender = new Sender({
    http,
    sends,
    codes: { 402: 4402 },
    connection: 'c1',
    queueSize: 1_000_000,
    pressure: { onFull() {}, onRoom() {} },
    backoff: () => new Backoff({ clock }),
    async take({ messages }) {
      delivered.push(...messages.map(({ data }) => String(data)));
      return true;
    },
    onFailure: (thrown) => failures.push(thrown),
  });
  const push = (...texts: string[]) => {
    for (const data of texts) sender.push(text(data));
  };
  /** Answers the request with this body. */
  async function answer(body: string, status = 200, reply = body): Promise<void> {
    waiting.find(({ request }) => request.body === body)?.answer(status, reply);
    await turns(2);
  }
  return { sender, push, answer, waiting, bodies, delivered, failures, stop: () => sender.stop() };
}

describe('several at a time', () => {
  test('are as many as there may be, and the next goes when one is answered', async () => {
    const { push, answer, bodies } = stand({ concurrency: 2 });
    push('a', 'b', 'c', 'd');
    expect(bodies).toEqual(['a', 'b']);
    await answer('b');
    // Its answer waits for that of the first, and so does its place.
    expect(bodies).toEqual(['a', 'b']);
    await answer('a');
    expect(bodies).toEqual(['a', 'b', 'c', 'd']);
  });

  test('are answered to the client in the order of the messages', async () => {
    const { push, answer, delivered } = stand({ concurrency: 3 });
    push('a', 'b', 'c');
    await answer('c');
    await answer('b');
    expect(delivered).toEqual([]);
    await answer('a');
    expect(delivered).toEqual(['a', 'b', 'c']);
  });

  test('are answered as they come where the order is free', async () => {
    const { push, answer, delivered, bodies } = stand({ concurrency: 2, inOrder: false });
    push('a', 'b', 'c');
    await answer('b');
    expect([delivered, bodies]).toEqual([['b'], ['a', 'b', 'c']]);
  });

  test('are never more than 64, whatever their lanes', async () => {
    const { push, waiting, bodies } = stand({ lane: ({ data }) => String(data) });
    push(...Array.from({ length: 100 }, (_, index) => String(index)));
    expect(waiting.length).toBe(64);
    waiting[3]?.answer(200);
    await turns(2);
    expect(bodies.length).toBe(65);
  });
});

describe('lanes', () => {
  const lane = ({ data }: Message) => String(data)[0] ?? '';

  test('do not wait for one another, and each keeps its order', async () => {
    const { push, answer, bodies, delivered } = stand({ lane });
    push('a1', 'a2', 'b1', 'b2');
    expect(bodies).toEqual(['a1', 'b1']);
    await answer('b1');
    await answer('b2');
    expect([bodies, delivered]).toEqual([
      ['a1', 'b1', 'b2'],
      ['b1', 'b2'],
    ]);
    await answer('a1');
    expect(bodies.at(-1)).toBe('a2');
  });
});

describe('a batch', () => {
  test('is what waits, as far as the profile takes it, with one key', async () => {
    const { push, answer, bodies, waiting } = stand({ batch: ({ length }) => Math.min(length, 3) });
    push('a', 'b', 'c', 'd', 'e');
    await answer('a');
    expect(bodies).toEqual(['a', 'b+c+d']);
    expect(waiting[0]?.request.headers).toEqual({ 'idempotency-key': 'c1:2' });
  });
});

describe('a nudge', () => {
  test('has an empty request sent at once where none is under way, and only one', async () => {
    const { sender, waiting, bodies } = stand();
    sender.nudge();
    sender.nudge();
    expect(bodies).toEqual(['']);
    waiting[0]?.answer(200);
    await turns(2);
    // The second one came while the first was under way.
    expect(bodies).toEqual(['', '']);
    waiting[0]?.answer(200);
    await turns(2);
    expect(bodies).toEqual(['', '']);
  });

  test('is done by the next message that is sent', async () => {
    const { sender, push, answer, bodies } = stand();
    push('a', 'b');
    sender.nudge();
    await answer('a');
    await answer('b');
    expect(bodies).toEqual(['a', 'b']);
  });

  test('is for nothing after the end', async () => {
    const { sender, bodies } = stand();
    await sender.end();
    sender.nudge();
    expect(bodies).toEqual([]);
  });
});

describe('a refusal', () => {
  test('is told to the client where the profile does so, and the next message is sent', async () => {
    const { push, answer, bodies, delivered, failures } = stand({ refused: asMessage });
    push('a', 'b');
    await answer('a', 422, 'no');
    expect([delivered, bodies, failures]).toEqual([['no'], ['a', 'b'], []]);
  });

  test.each([
    ['nothing to say', 422, { refused: () => undefined }],
    ['a redirect', 302, { refused: asMessage }],
    ['a status with a close code', 402, { refused: asMessage }],
  ])('ends the session else: %s', async (_, status, changes) => {
    const { push, answer, bodies, failures } = stand(changes);
    push('a', 'b');
    await answer('a', status);
    expect(failures).toMatchObject([{ code: 'SERVICE_REFUSED' }]);
    expect(bodies).toEqual(['a']);
  });
});

describe('a streamed answer', () => {
  const reader = () => ({
    push: (piece: Buffer) => [{ messages: [text(String(piece))], cursor: 'none', commit() {} } as const],
    end: () => [{ messages: [text('end')], cursor: 'none', commit() {} } as const],
  });

  test('comes piece by piece, and the next message is sent behind it', async () => {
    const { push, waiting, bodies, delivered } = stand({ reader });
    push('a', 'b');
    waiting[0]?.stream(pieces(['1', '2']));
    await turns(4);
    expect([delivered, bodies]).toEqual([
      ['1', '2', 'end'],
      ['a', 'b'],
    ]);
  });

  test.each([
    ['broken', 'UPSTREAM_LOST'],
    ['timeout', 'UPSTREAM_TIMEOUT'],
    ['undecodable', 'UPSTREAM_INVALID'],
  ] as const)('that is %s ends the session with %s, though the message has arrived', async (how, code) => {
    const { sender, push, waiting, delivered, failures } = stand({ reader });
    push('a');
    waiting[0]?.stream(pieces(['1'], how));
    await turns(4);
    expect(failures).toMatchObject([{ code }]);
    expect([delivered, sender.undelivered]).toEqual([['1'], 0]);
  });

  test('that is a refusal is read whole', async () => {
    const { push, waiting, delivered } = stand({ reader, refused: asMessage });
    push('a');
    waiting[0]?.stream(pieces(['n', 'o']), 400);
    await turns(4);
    expect(delivered).toEqual(['no']);
  });
});

describe('what was not delivered', () => {
  test('is what waits and what has no answer', async () => {
    const { sender, push, answer, stop } = stand({ concurrency: 2, inOrder: false });
    push('a', 'b', 'c', 'd', 'e');
    await answer('a');
    const ended = sender.end();
    push('late');
    stop();
    await ended;
    expect(sender.undelivered).toBe(5);
  });

  test('is nothing where all that waited is sent before the end', async () => {
    const { sender, push, answer } = stand();
    push('a', 'b');
    const ended = sender.end();
    await answer('a');
    await answer('b');
    await ended;
    expect(sender.undelivered).toBe(0);
  });

  test('holds a message that the service would not have', async () => {
    const { sender, push, answer } = stand();
    push('a', 'b');
    await answer('a', 403);
    await sender.end();
    expect(sender.undelivered).toBe(2);
  });
});
