import { expect, test } from 'vitest';
import { readRevocationList } from '../../src/admission/revocation-list.ts';
import type { Config } from '../../src/config/schema.ts';

const ISS = 'https://id.test/';
const issuers = { main: { issuer: ISS } } as unknown as Config['issuers'];

test.each<[string, object]>([
  ['subject alice', { by: 'subject', value: 'alice' }],
  ['  subject \t alice with a name  \r', { by: 'subject', value: 'alice with a name' }],
  ['subject@main alice', { by: 'subject', value: 'alice', issuer: ISS }],
  [`subject@${ISS} alice@example.com`, { by: 'subject', value: 'alice@example.com', issuer: ISS }],
  ['jti 7b1f', { by: 'jti', value: '7b1f' }],
  ['subject eyJanssen', { by: 'subject', value: 'eyJanssen' }],
  ['sid a b', { by: 'sid', value: 'a b' }],
  ['key # 1', { by: 'key', value: '# 1' }],
])('%j revokes', (line, expected) => {
  expect(readRevocationList(line, issuers)).toEqual({ revoked: [expected], problems: [] });
});

test.each(['', ' ', '\r\n', '# subject alice', '  # x'])('%j says nothing', (text) => {
  expect(readRevocationList(text, issuers)).toEqual({ revoked: [], problems: [] });
});

test.each<[string, string, string | undefined]>([
  ['alice', 'begins with none of jti, sid, key, subject', 'known here: jti, sid, key, subject'],
  ['subjekt alice', 'begins with none of jti, sid, key, subject', 'did you mean subject?'],
  ['Subject alice', 'begins with none of jti, sid, key, subject', 'did you mean subject?'],
  ['subject', 'says no subject', 'write subject, a space, and which one'],
  ['subject@main', 'says no subject', 'write subject, a space, and which one'],
  ['subject@mian alice', 'names no issuer of the configuration', 'did you mean main?'],
  ['subject@', 'begins with none of jti, sid, key, subject', 'known here: jti, sid, key, subject'],
  [`jti ${'x'.repeat(1_025)}`, 'is longer than 1024 characters', undefined],
  ['jti eyJhbGciOiJFUzI1NiJ9.e30.x', 'is a token', 'write its jti, sid or subject'],
])('%j is told of, and the others hold', (line, message, hint) => {
  const { revoked, problems } = readRevocationList(`subject alice\n\n${line}\nsubject bob\n`, issuers);
  expect(revoked.map(({ value }) => value)).toEqual(['alice', 'bob']);
  expect(problems).toEqual([{ line: 3, column: 1, path: '', message, ...(hint !== undefined && { hint }) }]);
});
