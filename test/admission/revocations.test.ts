import { expect, onTestFinished, test } from 'vitest';
import { means, type Proof, type Revocation, Revocations } from '../../src/admission/revocations.ts';
import { Registers } from '../../src/store/shared/registers.ts';
import { LocalArchive, LocalChannels } from '../support/local-channel.ts';

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
  const { book } = bookOf(entry);
  expect(book.isRevoked(proof)).toBe(expected);
  expect([...book].some((each) => means(each, proof))).toBe(expected);
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

/** Two gateways that share what they revoke, and what ends a turn of theirs. */
function sharing() {
  const channels = new LocalChannels();
  const archive = new LocalArchive();
  const books = ['one', 'two'].map((name) => {
    const registers = new Registers({ channel: channels.join(name), archive, now: () => NOW });
    const book = new Revocations(() => NOW, registers.register('revocations'));
    onTestFinished(() => {
      book.close();
      registers.close();
    });
    return { book, registers };
  });
  return { archive, one: books[0]?.book as Revocations, two: books[1]?.book as Revocations };
}

const told = () => new Promise((resolve) => setImmediate(resolve));

test('what one gateway revokes, and takes back, all do', async () => {
  const { one, two } = sharing();
  let added = 0;
  two.onAdded(() => {
    added += 1;
  });
  one.add({ by: 'subject', value: 'alice', issuer: ISSUER, at: NOW, until: NOW + HOUR });
  await told();
  expect([two.isRevoked(alice), added]).toEqual([true, 1]);
  expect(two.remove({ by: 'subject', value: 'alice', issuer: ISSUER })).toBe(true);
  await told();
  expect([one.isRevoked(alice), one.size]).toEqual([false, 0]);
});

test('what no gateway can have told revokes nobody', async () => {
  const { archive, one } = sharing();
  const channels = new LocalChannels();
  const registers = new Registers({ channel: channels.join('stranger'), archive, now: () => NOW });
  onTestFinished(() => registers.close());
  const texts = [
    '',
    'null',
    '{',
    '{}',
    '{"by":"name","value":"alice","at":1,"until":2}',
    '{"by":"jti","value":"a"}',
    '{"by":"jti","value":"a","at":1,"until":1e300}',
    '{"by":"jti","value":"a","issuer":1,"at":1,"until":9e12}',
    // Another name than what it says would have: nobody could take it back.
    '{"by":"jti","value":"a","at":1,"until":9e12}',
  ];
  const heard = registers.register('revocations');
  const book = new Revocations(() => NOW, heard);
  onTestFinished(() => book.close());
  const other = channels.join('other');
  for (const [index, text] of texts.entries())
    other.tell({
      kind: 'lines',
      lines: [{ topic: 'revocations', name: `${index}`, text, until: NOW + HOUR, at: NOW, chance: 1 }],
    });
  await told();
  expect([registers.size, book.size, one.size]).toEqual([texts.length, 0, 0]);
});

test('those who stand in a list are revoked for as long as they do, whenever their tokens were issued', () => {
  const { book } = bookOf();
  let heard = 0;
  book.onAdded(() => {
    heard += 1;
  });
  book.list([
    { by: 'subject', value: 'alice' },
    { by: 'key', value: 'key-2', issuer: ISSUER },
  ]);
  expect(book.isRevoked({ ...alice, issuedAt: NOW + HOUR })).toBe(true);
  expect(book.isRevoked({ key: 'key-2', issuer: ISSUER })).toBe(true);
  expect(book.isRevoked({ key: 'key-2', issuer: 'https://else.test/' })).toBe(false);
  book.list([{ by: 'key', value: 'key-2', issuer: ISSUER }]);
  expect([book.isRevoked(alice), heard]).toEqual([false, 2]);
  expect([...book.listed].map(({ value }) => value)).toEqual(['key-2']);
});
