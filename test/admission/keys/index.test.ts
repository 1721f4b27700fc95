import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { openApiKeys, openKeyFiles } from '../../../src/admission/keys/index.ts';
import { hashOfKey, makeKey, whyUnknown } from '../../../src/admission/keys/key.ts';
import { ConfigError } from '../../../src/config/problem.ts';
import { WatchedFiles } from '../../../src/watched-files.ts';
import { folderWith } from '../../support/cli.ts';
import { within } from '../../support/patience.ts';
import { codeOf } from '../../support/tokens.ts';

const entry = (name: string, key: string, rest = '') =>
  `- { name: ${name}, hash: "${hashOfKey(key)}"${rest} }\n`;

/** Keys in a file of their own, and what is logged of them. */
async function opened(text: string, now?: () => number) {
  const file = join(await folderWith({ 'keys.yaml': text }), 'keys.yaml');
  const files = new WatchedFiles({ everyMs: 5 });
  onTestFinished(() => files.close());
  const lines: Record<string, unknown>[] = [];
  let heard = Promise.withResolvers<void>();
  const logger = pino({}, { write: (line: string) => heard.resolve(void lines.push(JSON.parse(line))) });
  const outcomes: string[] = [];
  const reloads = { reloaded: (...what: string[]) => void outcomes.push(what.join(' ')) };
  const keys = await openApiKeys(file, { files, logger, reloads, ...(now && { now }) });
  /** Puts another text in its place, and waits for the log to tell of it. */
  async function rewrite(next: string) {
    heard = Promise.withResolvers();
    // At once: a file that is cut while it is written is another case.
    await writeFile(`${file}.new`, next);
    await rename(`${file}.new`, file);
    await within(heard.promise, 'word of the change');
    return lines.at(-1);
  }
  return { keys, file, files, lines, outcomes, rewrite };
}

test('a key is 51 characters that no other key has, and is known by its hash alone', async () => {
  const made = Array.from({ length: 100 }, makeKey);
  expect(new Set(made).size).toBe(100);
  for (const key of made) expect(key).toMatch(/^sp_[\w-]{48}$/);
  // As `printf %s KEY | sha256sum` says it.
  expect(hashOfKey('abc')).toBe('sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('who has a key is known by its name, its claims and its end', async () => {
  const [key, other] = [makeKey(), makeKey()];
  const { keys } = await opened(
    entry('ci', key, ', claims: { role: deploy }, expires: 2100-01-01') +
      entry('other', other, ', claims: { name: The other }'),
  );
  expect(keys.find(key)).toEqual({
    subject: 'ci',
    claims: { name: 'ci', sub: 'ci', role: 'deploy' },
    expiresAt: Date.UTC(2100, 0, 1),
  });
  expect(keys.find(other)).toEqual({
    subject: 'other',
    claims: { name: 'The other', sub: 'other' },
    expiresAt: undefined,
  });
  expect(keys.find(makeKey())).toBeUndefined();
  expect(keys.find(hashOfKey(key))).toBeUndefined();
});

test('a key ends to the millisecond', async () => {
  const key = makeKey();
  let now = Date.UTC(2030, 0, 1) - 1;
  const { keys } = await opened(entry('ci', key, ', expires: 2030-01-01'), () => now);
  expect(keys.find(key)).toBeDefined();
  now += 1;
  expect(await codeOf((async () => keys.find(key))())).toBe('TOKEN_EXPIRED');
});

test('what is wrong with a key that nobody knows is told apart', () => {
  const key = makeKey();
  expect(whyUnknown(key)).toBe('an API key that is not in the file');
  const mistyped = key.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
  for (const broken of [key.slice(0, -1), `${key}A`, mistyped, 'sp_'])
    expect(whyUnknown(broken)).toBe('an API key that was cut or mistyped');
  expect(whyUnknown('hunter2')).toBe('it is none of the API keys');
});

test('a change of the file counts at once, and the log says by name what has changed', async () => {
  const [kept, gone, fresh, renewed] = [makeKey(), makeKey(), makeKey(), makeKey()];
  const { keys, file, outcomes, rewrite } = await opened(
    entry('kept', kept) + entry('gone', gone) + entry('same', fresh),
  );
  const line = await rewrite(entry('kept', kept) + entry('same', renewed) + entry('new', fresh));
  expect(line).toMatchObject({
    msg: 'the API keys have changed',
    file,
    added: ['new'],
    removed: ['gone'],
    changed: ['same'],
    keys: 3,
  });
  expect([kept, gone, fresh, renewed].map((key) => keys.find(key)?.subject)).toEqual([
    'kept',
    undefined,
    'new',
    'same',
  ]);
  expect(outcomes).toEqual(['keys renewed']);
});

test('a file that cannot be used changes nothing, is told with its places, and mended counts', async () => {
  const key = makeKey();
  const { keys, file, outcomes, rewrite } = await opened(entry('ci', key));
  const line = await rewrite(`${entry('ci', key)}- { name: other }\n`);
  expect(line).toMatchObject({
    level: 50,
    msg: 'the API keys cannot be read anew; those read before stay',
    problems: [expect.stringMatching(/keys.yaml:2:3 \[1\].hash: is missing; expected sha256:/)],
  });
  expect(line?.file).toBe(file);
  expect(keys.find(key)?.subject).toBe('ci');
  expect(outcomes).toEqual(['keys refused']);
  await rewrite('[]');
  expect(keys.find(key)).toBeUndefined();
  expect(outcomes).toEqual(['keys refused', 'keys renewed']);
});

test.each(['', ' \n\n'])(
  'a file without a word, %j, takes no keys away, and the log says how that is done',
  async (blank) => {
    const key = makeKey();
    const { keys, outcomes, rewrite } = await opened(entry('ci', key));
    expect(await rewrite(blank)).toMatchObject({
      level: 50,
      problems: [expect.stringContaining('is empty: to take all keys away, write []')],
    });
    expect([keys.find(key)?.subject, outcomes]).toEqual(['ci', ['keys refused']]);
    await rewrite('# none any more\n');
    expect(keys.find(key)).toBeUndefined();
  },
);

test('where there are no keys yet, a file may be empty', async () => {
  const key = makeKey();
  const { files, keys, lines, rewrite } = await opened('');
  await files.renew();
  expect(lines).toEqual([]);
  await rewrite(entry('ci', key));
  expect(keys.find(key)?.subject).toBe('ci');
});

test('nothing is logged where nothing has changed', async () => {
  const { files, lines, outcomes } = await opened(entry('ci', makeKey()));
  await files.renew();
  expect([lines, outcomes]).toEqual([[], []]);
});

test('routes share a file, and one that cannot be used is an error', async () => {
  const { file, files } = await opened(entry('ci', makeKey()));
  const route = { auth: { keys: file } } as Parameters<typeof openKeyFiles>[0][number];
  const watched: string[] = [];
  const watch: WatchedFiles['watch'] = (paths, onChange) => {
    watched.push(...paths);
    return files.watch(paths, onChange);
  };
  const shared = await openKeyFiles([route, { auth: 'none' }, route], { files: { watch } });
  expect([[...shared.keys()], watched]).toEqual([[file], [file]]);
  await writeFile(file, 'keys: 1');
  await expect(openKeyFiles([route], { files })).rejects.toThrow(ConfigError);
});
