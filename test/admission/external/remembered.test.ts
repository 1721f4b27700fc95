import { describe, expect, test } from 'vitest';
import type { Proof } from '../../../src/admission/external/answer.ts';
import { RememberedAnswers } from '../../../src/admission/external/remembered.ts';
import { GatewayError } from '../../../src/errors.ts';
import { RelayedAnswer } from '../../../src/http/relayed-answer.ts';

const proof = (subject: string, expiresAt?: number): Proof => ({ subject, claims: {}, expiresAt });
const refused = () =>
  new RelayedAnswer({ status: 401, headers: [], body: Buffer.from('') }, 'the auth service');

/** A service whose answers a test gives by hand. */
function scene(holdMs = 1000, size?: number) {
  const clock = { ms: 0, set: 0 };
  const answers = new RememberedAnswers(holdMs, {
    now: () => clock.ms + clock.set,
    monotonic: () => clock.ms,
    ...(size && { size }),
  });
  const asked: PromiseWithResolvers<Proof>[] = [];
  const ask = () => {
    const question = Promise.withResolvers<Proof>();
    asked.push(question);
    return question.promise;
  };
  const answer = (name = 'q') => answers.answer(name, ask);
  /** Asks, and lets the service answer so. */
  const told = (given: Proof, name?: string) => {
    const answered = answer(name);
    asked.at(-1)?.resolve(given);
    return answered;
  };
  return { clock, asked, answer, told };
}

describe('an answer that lets in', () => {
  test('holds for a while', async () => {
    const { clock, asked, answer, told } = scene();
    await told(proof('alice'));
    clock.ms = 999;
    expect(await answer()).toEqual(proof('alice'));
    expect(asked).toHaveLength(1);
    clock.ms = 1000;
    await told(proof('bob'));
    expect(asked).toHaveLength(2);
  });

  test('holds no longer, and no shorter, where the time of day is set meanwhile', async () => {
    const { clock, asked, answer, told } = scene();
    await told(proof('alice'));
    clock.set = 3_600_000;
    await answer();
    expect(asked).toHaveLength(1);
    clock.set = -3_600_000;
    clock.ms = 1000;
    await told(proof('bob'));
    expect(asked).toHaveLength(2);
  });

  test('never holds beyond its own end', async () => {
    const { clock, asked, answer, told } = scene();
    await told(proof('alice', 10));
    clock.ms = 9;
    await answer();
    expect(asked).toHaveLength(1);
    clock.ms = 10;
    void answer();
    expect(asked).toHaveLength(2);
  });

  test('is that of its question alone', async () => {
    const { asked, answer, told } = scene();
    await told(proof('alice'));
    void answer('other');
    expect(asked).toHaveLength(2);
  });

  test('gives way to others when there are too many, the least recently used first', async () => {
    const { asked, answer, told } = scene(1000, 2);
    await told(proof('a'), 'a');
    await told(proof('b'), 'b');
    await answer('a');
    await told(proof('c'), 'c');
    expect(await answer('a')).toEqual(proof('a'));
    expect(asked).toHaveLength(3);
    void answer('b');
    expect(asked).toHaveLength(4);
  });
});

describe('of equal questions at a time', () => {
  test('one is asked, and all are let in by its answer', async () => {
    const { asked, answer } = scene();
    const answered = [answer(), answer(), answer()];
    asked[0]?.resolve(proof('alice'));
    expect(await Promise.all(answered)).toEqual([proof('alice'), proof('alice'), proof('alice')]);
    expect(asked).toHaveLength(1);
  });

  test('each gets a refusal of its own, which may set a cookie', async () => {
    const { asked, answer } = scene();
    const answered = [answer(), answer()];
    const error = refused();
    asked[0]?.reject(error);
    await expect(answered[0]).rejects.toBe(error);
    asked[1]?.resolve(proof('bob'));
    expect(await answered[1]).toEqual(proof('bob'));
  });

  test('none is asked again where there was no answer', async () => {
    const { asked, answer } = scene();
    const answered = [answer(), answer()];
    const error = new GatewayError('AUTH_UNAVAILABLE');
    asked[0]?.reject(error);
    expect(await Promise.allSettled(answered)).toEqual([
      { status: 'rejected', reason: error },
      { status: 'rejected', reason: error },
    ]);
    expect(asked).toHaveLength(1);
  });
});

test('a refusal is not remembered', async () => {
  const { asked, answer, told } = scene();
  const first = answer();
  asked[0]?.reject(refused());
  await expect(first).rejects.toThrow();
  expect(await told(proof('alice'))).toEqual(proof('alice'));
  expect(asked).toHaveLength(2);
});
