import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { openRevocationFile } from '../../src/admission/revocation-file.ts';
import { Revocations } from '../../src/admission/revocations.ts';
import { WatchedFiles } from '../../src/watched-files.ts';
import { folderWith } from '../support/cli.ts';
import { within } from '../support/patience.ts';

/** A file of revocations with this in it, and what is logged of it. */
async function opened(text: string) {
  const file = join(await folderWith({ revoked: text }), 'revoked');
  const files = new WatchedFiles({ everyMs: 5 });
  const revocations = new Revocations();
  onTestFinished(() => {
    files.close();
    revocations.close();
  });
  const lines: Record<string, unknown>[] = [];
  const outcomes: string[] = [];
  let changed = Promise.withResolvers<void>();
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const reloads = { reloaded: (...what: string[]) => changed.resolve(void outcomes.push(what.join(' '))) };
  await openRevocationFile({ revocations: file, issuers: {} }, { files, logger, reloads, revocations });
  /** Puts another text in its place, or nothing, and waits until that has been noticed. */
  async function rewrite(next: string | Buffer | undefined) {
    changed = Promise.withResolvers();
    if (next === undefined) await rm(file);
    else {
      await writeFile(`${file}.new`, next);
      await rename(`${file}.new`, file);
    }
    await within(changed.promise, 'word of the change');
    await new Promise((resolve) => setImmediate(resolve));
  }
  const revoked = () => ['alice', 'bob'].filter((subject) => revocations.isRevoked({ subject }));
  return { file, lines, outcomes, rewrite, revoked };
}

test('who stands there is revoked, and is not when the line is gone', async () => {
  const { file, lines, outcomes, rewrite, revoked } = await opened('subject alice\n');
  expect(revoked()).toEqual(['alice']);
  await rewrite('subject bob\n');
  expect(revoked()).toEqual(['bob']);
  await rewrite('# nobody\n');
  expect(revoked()).toEqual([]);
  expect(outcomes).toEqual(['revocations renewed', 'revocations renewed']);
  expect(lines.at(-1)).toMatchObject({ file, msg: 'the revocations have changed', before: 1, revoked: 0 });
});

test('a line that makes no sense is told of with its place, and the others hold', async () => {
  const { file, lines, rewrite, revoked } = await opened('subject alice\nalice\n');
  expect(revoked()).toEqual(['alice']);
  const said = `${file}:2:1 begins with none of jti, sid, key, subject; known here: jti, sid, key, subject`;
  expect(lines).toEqual([expect.objectContaining({ level: 50, bad: 1, problems: [said] })]);
  await rewrite(`${'x\n'.repeat(20)}subject bob\n`);
  expect(revoked()).toEqual(['bob']);
  expect(lines[1]).toMatchObject({ bad: 20 });
  expect(lines[1]?.problems).toHaveLength(10);
});

test.each<[string, string | Buffer | undefined, string]>([
  ['is away', undefined, 'there is no such file'],
  ['is empty', '', 'is empty: to take all back, write a line that begins with #'],
  ['makes no sense anywhere', 'alice\nbob\n', ':1:1 begins with none of jti, sid, key, subject'],
  ['is in another encoding', Buffer.from('\ufeffsubject bob\n', 'utf16le'), ':1:1 begins with none of'],
  ['is too large', 'x'.repeat(1024 * 1024 + 1), 'is larger than 1 MiB'],
])('a file that %s changes nothing', async (_name, text, reason) => {
  const { lines, outcomes, rewrite, revoked } = await opened('subject alice\n');
  await rewrite(text);
  expect([revoked(), outcomes]).toEqual([['alice'], ['revocations refused']]);
  expect(lines.at(-1)).toMatchObject({
    level: 50,
    msg: 'the revocations cannot be read anew; those read before stay',
    problems: expect.arrayContaining([expect.stringContaining(reason)]),
  });
});

test('where nobody was revoked, an empty file is no trouble', async () => {
  const { rewrite, outcomes } = await opened('');
  await rewrite('\n');
  expect(outcomes).toEqual(['revocations renewed']);
});

test('one that cannot be read at the start is an error', async () => {
  const files = new WatchedFiles();
  onTestFinished(() => files.close());
  const revocations = new Revocations();
  onTestFinished(() => revocations.close());
  const deps = { files, logger: pino({ enabled: false }), reloads: { reloaded() {} }, revocations };
  const config = { revocations: '/no/such/file', issuers: {} };
  await expect(openRevocationFile(config, deps)).rejects.toThrow('there is no such file');
});
