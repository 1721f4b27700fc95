import { expect, onTestFinished, test } from 'vitest';
import { type Proof, type Revocation, Revocations } from '../../src/admission/revocations.ts';

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;
const ISSUER = 'https://id.test/';

function bookOf(...entries: Partial<Revocation>[]) {
  const clock = { ms: NOW };
  const book = new Revocations(() => clock.ms);
  onTestFinished(() => book.close());
  for (const entry of entries)
    book.add({ by: 'subject', value: 'alice', at: NOW, until: NOW + HOUR, ...entry });
  return { clock, book };
}

const alice: Proof = {
  subject: 'alice',
  issuer: ISSUER,
  jti: 'token-1',
  sid: 'sign-in-1',
  key: 'key-1',
  issuedAt: NOW - 1,
};

test.each<[string, Partial<Revocation>, Proof, boolean]>([
  ['its subject', {}, alice, true],
  ['its subject, by this issuer', { issuer: ISSUER }, alice, true],
  ['a subject of another issuer', { issuer: 'https://else.test/' }, alice, false],
  ['another subject', { value: 'bob' }, alice, false],
  ['its subject, before it was issued', {}, { ...alice, issuedAt: NOW + 1 }, false],
  ['its subject, in the moment in which it was issued', {}, { ...alice, issuedAt: NOW }, true],
  ['its subject, where nobody knows when it was issued', {}, { subject: 'alice' }, true],
  ['its name', { by: 'jti', value: 'token-1' }, alice, true],
  [
    'its name, whenever it was issued',
    { by: 'jti', value: 'token-1' },
    { ...alice, issuedAt: NOW + HOUR },
    true,
  ],
  ['its sign-in', { by: 'sid', value: 'sign-in-1' }, alice, true],
  ['its key', { by: 'key', value: 'key-1' }, alice, true],
  [
    'a key of that name, of another issuer',
    { by: 'key', value: 'key-1', issuer: 'https://else.test/' },
    alice,
    false,
  ],
  ['a name that is the subject', { by: 'jti', value: 'alice' }, alice, false],
  ['a subject that none has', { value: 'undefined' }, {}, false],
])('a token is revoked by %s', (_name, entry, proof, expected) => {
  expect(bookOf(entry).book.isRevoked(proof)).toBe(expected);
});

test('what was taken back does not count, nor what is over', () => {
  const { clock, book } = bookOf({}, { by: 'jti', value: 'token-2', until: NOW + 10 });
  expect(book.isRevoked({ jti: 'token-2' })).toBe(true);
  clock.ms += 10;
  expect(book.isRevoked({ jti: 'token-2' })).toBe(false);
  expect([...book].map(({ value }) => value)).toEqual(['alice']);
  expect(book.remove({ by: 'subject', value: 'alice' })).toBe(true);
  expect(book.remove({ by: 'subject', value: 'alice' })).toBe(false);
  expect(book.isRevoked(alice)).toBe(false);
});

test('it holds a bounded number, and those that are over make room', () => {
  const { clock, book } = bookOf();
  const add = (index: number) => book.add({ by: 'jti', value: `${index}`, at: NOW, until: clock.ms + HOUR });
  for (let index = 0; index < 100_000; index++) add(index);
  expect(() => add(100_000)).toThrow(expect.objectContaining({ code: 'REVOCATIONS_FULL' }));
  add(5);
  clock.ms += HOUR;
  add(100_000);
  expect(book.size).toBe(1);
});
