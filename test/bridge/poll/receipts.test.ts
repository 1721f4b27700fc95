import { expect, test } from 'vitest';
import { Backoff } from '../../../src/bridge/poll/backoff.ts';
import type { Receipt } from '../../../src/bridge/poll/profile.ts';
import { sendReceipt } from '../../../src/bridge/poll/receipts.ts';
import type { SessionClient } from '../../../src/bridge/poll/session-client.ts';
import { ExchangeFailed } from '../../../src/upstream/exchange-failed.ts';
import { fastClock } from '../../support/poll-clock.ts';

/** What is told of messages that the client has. */

const RECEIPT = {
  request: { method: 'POST', path: '/done', headers: {} },
  timeoutMs: 5_000,
  answerSize: 'ignored',
} as const;
const CUT = new ExchangeFailed('broken', false);

/** A service that answers so, one after the other, and is asked for as long as it answers nothing final. */
function sent(
  answers: readonly (number | Error)[],
  codes?: Record<number, number>,
  receipt: Receipt = RECEIPT,
) {
  const { clock, slept } = fastClock();
  const asked: string[] = [];
  const http = {
    async exchange({ path }, { timeoutMs, bodySize }) {
      asked.push(`${path} ${timeoutMs} ${bodySize}`);
      const answer = answers[asked.length - 1] ?? 200;
      if (typeof answer !== 'number') throw answer;
      return { status: answer, headers: answer === 429 ? { 'retry-after': '7' } : {}, body: Buffer.alloc(0) };
    },
  } as SessionClient;
  const parts = { http, codes, backoff: () => new Backoff({ outageMs: 60_000, clock }) };
  return { slept, asked, done: sendReceipt(receipt, parts, new AbortController().signal) };
}

test('is told once where the service takes it', async () => {
  const { asked, done } = sent([204]);
  await done;
  expect(asked).toEqual(['/done 5000 ignored']);
});

test('is told again, after a wait, until the service takes it', async () => {
  const { asked, slept, done } = sent([500, CUT, 429, 408, 503]);
  await done;
  expect(asked).toHaveLength(6);
  expect(slept).toEqual([250, 500, 7_000, 2_000, 4_000]);
});

test('is told again where a part of it was not taken', async () => {
  let looks = 0;
  const isTaken = () => ++looks === 3;
  const { asked, slept, done } = sent([200, 200, 200], undefined, { ...RECEIPT, answerSize: 9, isTaken });
  await done;
  expect(asked).toEqual(Array(3).fill('/done 5000 9'));
  expect(slept).toEqual([250, 500]);
});

test.each([
  [400, undefined, 1014],
  [404, { 404: 4404 }, 4404],
  [500, { 500: 4500 }, 4500],
])('ends the session where the service will never take it: %i', async (status, codes, close) => {
  const { asked, done } = sent([status], codes);
  const found = await done.catch((thrown: unknown) => thrown);
  expect(found).toMatchObject({
    code: 'SERVICE_REFUSED',
    close,
    detail: `the upstream answered ${status} to a confirmation: the messages that the client has may come again`,
  });
  expect(asked).toHaveLength(1);
});

test('ends the session where the service does not take it for as long as an outage may last', async () => {
  const { done, slept } = sent(Array(50).fill(CUT));
  const found = await done.catch((thrown: unknown) => thrown);
  const cause = { message: expect.stringMatching(/^a confirmation failed: .* may come again$/), cause: CUT };
  expect(found).toMatchObject({ code: 'UPSTREAM_OUTAGE', cause });
  expect(slept.reduce((sum, ms) => sum + ms)).toBe(60_000);
});

test('ends the session where nobody can read the answer', async () => {
  const { asked, done } = sent([new ExchangeFailed('too big', false)]);
  await expect(done).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' });
  expect(asked).toHaveLength(1);
});
