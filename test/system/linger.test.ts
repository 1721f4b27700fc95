import { afterEach, expect, test } from 'vitest';
import { dropAtRandom, upTo } from '../support/lingering.ts';
import { fixtures } from '../support/poll.ts';

const { service, harness, undo } = fixtures();
afterEach(undo);

test('a client that is lost a thousand times, and says how much it has, misses nothing and has nothing twice', async () => {
  const { texts, names } = await dropAtRandom({ service, harness }, 1_000, 7);
  expect([texts, names]).toEqual([upTo(texts.length), 1]);
});
