import { describe, expect, test, vi } from 'vitest';
import type { Proof } from '../../src/admission/revocations.ts';
import { extendHere, readOrder, type Verdict } from '../../src/endpoints/extending.ts';
import type { Session } from '../../src/session/session.ts';

/** What a new token does to the sessions of one process, by what another one may have judged. */

const NOW = Date.UTC(2027, 0, 1);
const OPEN = { isRevoked: () => false };

function session(changes: Partial<Session> = {}): Session {
  return {
    ...{ id: 'a', route: 'chat', path: '/chat', subject: 'alice', issuer: 'id', isEnding: false },
    ...{ startedAt: NOW, expiresAt: NOW + 1000, extend: vi.fn(), close: vi.fn() },
    ...changes,
  } as unknown as Session;
}

const verdict = (changes: Partial<Verdict> = {}): Verdict => ({
  ...{ route: 'chat', subject: 'alice', issuer: 'id', expiresAt: NOW + 5000, isOver: false },
  ...changes,
});

function told(one: Session, changes: Partial<Verdict> = {}, revocations = OPEN) {
  return extendHere([one], revocations, { verdicts: [verdict(changes)] });
}

test('what is told to others is read as it was meant', () => {
  const one = session();
  const order = JSON.parse(JSON.stringify({ verdicts: [verdict({ graceMs: 5, marks: { jti: 'x' } })] }));
  expect(extendHere([one], OPEN, order).extended).toBe(1);
  expect(one.extend).toHaveBeenCalledWith({ expiresAt: NOW + 5000, graceMs: 5, marks: { jti: 'x' } });
  // Infinity is null there: a token may say 1e308.
  const endless = JSON.parse(JSON.stringify({ verdicts: [verdict({ expiresAt: Infinity })] }));
  extendHere([one], OPEN, endless);
  expect(one.extend).toHaveBeenLastCalledWith({ expiresAt: undefined, graceMs: undefined, marks: undefined });
});

describe('what another process tells', () => {
  const tellOne = (changes: object) => readOrder({ verdicts: [{ ...verdict(), ...changes }] });

  test('is an order if it reads like one', () => {
    const order = { verdicts: [verdict({ graceMs: 5, marks: { jti: 'x', issuedAt: 1 } })], session: 'a' };
    expect(readOrder(JSON.parse(JSON.stringify(order)))).toEqual(order);
    expect(tellOne({ issuer: undefined, expiresAt: null })).toBeDefined();
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'extend'],
    ['verdicts that are none', { verdicts: [null] }],
    ['a session that is no text', { verdicts: [], session: 7 }],
  ])('is none if it is %s', (_, told) => expect(readOrder(told)).toBeUndefined());

  test.each<[string, object]>([
    ['a route', { route: 7 }],
    ['a subject', { subject: null }],
    ['an issuer', { issuer: {} }],
    ['an end', { expiresAt: '2027' }],
    ['a tolerance', { graceMs: [] }],
    ['marks', { marks: { jti: 7 } }],
    ['a date of issue', { marks: { issuedAt: 'now' } }],
    ['whether it is over', { isOver: 'no' }],
  ])('is none with %s of another kind', (_, changes) => expect(tellOne(changes)).toBeUndefined());
});

describe('nothing is done to a session', () => {
  test.each<[string, Partial<Session>, Partial<Verdict>]>([
    ['of another subject', { subject: 'bob' }, {}],
    ['of another issuer', { issuer: 'other' }, {}],
    ['of a client that has proven nothing of that', { subject: undefined, issuer: undefined }, {}],
    ['that is ending already', { isEnding: true }, {}],
    ['that is ending already, where it would be ended', { isEnding: true }, { isOver: true }],
    ['of a route that has not judged the token', { route: 'board' }, {}],
  ])('%s', (_, given, changes) => {
    const one = session(given);
    expect(told(one, changes)).toEqual({ extended: 0, ended: 0, sessions: [] });
    expect([one.extend, one.close]).toEqual([expect.anything(), expect.anything()]);
    expect(vi.mocked(one.extend).mock.calls.length + vi.mocked(one.close).mock.calls.length).toBe(0);
  });

  test('where the token was revoked here, and not yet where it was judged', () => {
    const one = session();
    const isRevoked = ({ jti, subject, issuer }: Proof) => `${jti} ${subject} ${issuer}` === 'x alice id';
    expect(told(one, { marks: { jti: 'x' } }, { isRevoked: isRevoked as never }).extended).toBe(0);
    expect(one.extend).not.toHaveBeenCalled();
  });
});

test('no more than a hundred are named, however many there are', () => {
  const all = Array.from({ length: 150 }, () => session());
  const { extended, sessions } = extendHere(all, OPEN, { verdicts: [verdict()] });
  expect([extended, sessions.length]).toEqual([150, 100]);
});
