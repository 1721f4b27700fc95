import { chmod, chown, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hashOfKey } from '../../src/admission/keys/key.ts';
import { type Access, keepAccess, newAccess } from '../../src/cli/key-access.ts';
import { type ApiKey, parseApiKeys } from '../../src/config/api-keys.ts';
import { folderWith, sallyport } from '../support/cli.ts';

const GIVEN = 'q7Jw0Zt4mYk2vXr8Ls5cNd'; // 22 of 62 different characters: 131 bits
const keys = (text: string) => parseApiKeys(text, 'keys.yaml');

describe('a key', () => {
  test('stands alone on stdout, and its entry on stderr', async () => {
    const { code, out, err } = await sallyport(['key', 'ci', '--claim', 'role=deploy', '--claim', 'n=[1,2]']);
    expect(code).toBe(0);
    expect(out).toMatch(/^sp_[\w-]{48}\n$/);
    expect(keys(err)).toEqual([
      { name: 'ci', hash: hashOfKey(out.trim()), claims: { role: 'deploy', n: [1, 2] } },
    ]);
  });

  test('ends when it should', async () => {
    const from = Date.now() + 90 * 86_400_000;
    const { err } = await sallyport(['key', 'ci', '--expires', '90d']);
    const [{ expires = 0 }] = keys(err) as [ApiKey];
    expect(expires).toBeGreaterThanOrEqual(from);
    expect(expires).toBeLessThan(from + 20_000);
  });

  test('may have a name that YAML would take for something else', async () => {
    for (const name of ['yes', '7', 'a: b', '# c', 'Žluťoučký kůň', '-']) {
      const { err } = await sallyport(['key', name]);
      expect(keys(err)[0]?.name).toBe(name);
    }
  });

  test('that exists already is hashed, and shown nowhere', async () => {
    const { code, out, err } = await sallyport(['key', 'old', '--hash'], {}, `${GIVEN}\n`);
    expect({ code, out }).toEqual({ code: 0, out: '' });
    expect(keys(err)).toEqual([{ name: 'old', hash: hashOfKey(GIVEN), claims: {} }]);
    expect(err).not.toContain(GIVEN);
  });
});

describe('refused, with nothing on stdout, is', () => {
  test.each([
    [['key'], '', /missing required argument 'name'/],
    [['key', 'ci', '--expires', 'soon'], '', /Expected a duration like 12h, 90d or 365d/],
    [['key', 'ci', '--expires', '100ms'], '', /Expected a duration like/],
    [['key', 'ci', '--expires', '4000d'], '', /Expected a duration like/],
    [['key', 'ci', '--claim', 'sub=x'], '', /\[0\].claims.sub: is the name of the key already/],
    [['key', 'a\nb'], '', /\[0\].name: .* is not a name of at most 128 characters/],
    [['key', 'ci', '--hash'], '', /the key on stdin is not one line of visible ASCII/],
    [['key', 'ci', '--hash'], 'two\nlines', /is not one line of visible ASCII/],
    [['key', 'ci', '--hash'], GIVEN.slice(1), /is too short; take a random one of at least 128 bits/],
    [['key', 'ci', '--hash'], '0123456789abcdef0123456789abcde', /is too short/],
    [['key', 'ci', '--hash'], '01234567890123456789012345678901234567', /is too short/],
    [['key', 'ci', '--hash'], 'qwertyuiopasdfghjklzxcvb', /is too short/],
    [['key', 'ci', '--hash'], 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaB-', /is not random/],
    [['key', 'ci', '--hash'], 'x'.repeat(9000), /is longer than 8 KiB/],
  ])('%j %j', async (argv, stdin, expected) => {
    const { code, out, err } = await sallyport(argv, {}, stdin);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(expected);
    expect(err).not.toMatch(/^ +at /m);
  });
});

describe('a file of keys', () => {
  async function added(text: string | undefined, ...more: string[]) {
    const folder = await folderWith(text === undefined ? {} : { 'keys.yaml': text });
    const file = join(folder, 'keys.yaml');
    const outcome = await sallyport(['key', 'ci', '--file', file, ...more]);
    const now = await readFile(file, 'utf8').catch(() => undefined);
    return { ...outcome, file, folder, now };
  }

  test('is made, for its owner and the group of its folder, and that is said', async () => {
    const { code, out, err, file, folder, now } = await added(undefined);
    expect(code).toBe(0);
    const { uid, gid } = await stat(folder);
    expect(err).toBe(
      `made ${file}, which user ${uid} and group ${gid} can read; if the gateway runs as another user, give the file its group: chgrp GROUP ${file}\n`,
    );
    expect(keys(now ?? '')).toMatchObject([{ name: 'ci', hash: hashOfKey(out.trim()) }]);
    expect((await stat(file)).mode & 0o777).toBe(0o640);
    expect(await readdir(folder)).toEqual(['keys.yaml']);
  });

  const HASH = hashOfKey('other');
  test.each([
    ['with comments', `# ours\n- name: a # the first\n  hash: ${HASH}\n# end\n`],
    ['without a newline at its end', `- { name: a, hash: "${HASH}" }`],
    ['with a list that is indented', `  - name: a\n    hash: ${HASH}\n`],
    ['with lines as Windows ends them', `- name: a\r\n  hash: ${HASH}\r\n`],
    ['with a list at its end', `- name: a\n  hash: ${HASH}\n  claims:\n    of:\n      - 1\n`],
    ['with nothing but a comment', '# none yet\n'],
  ])('keeps what stands in it: %s', async (_, text) => {
    const { code, err, now } = await added(text);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(now?.startsWith(text)).toBe(true);
    expect(keys(now ?? '').map(({ name }) => name)).toEqual([...keys(text).map(({ name }) => name), 'ci']);
  });

  test.each([
    [
      'of the same name',
      `# ours\n\n- hash: "${HASH}"\n  name: ci\n`,
      /the name ci is taken in \S+keys.yaml \(line 4\); choose another, or take that one out\n$/,
    ],
    ['that is none', 'keys: 1\n', /keys.yaml:1:1 a mapping is not a list/],
    ['that is no YAML', '- { name: a\n', /is not readable as YAML/],
    [
      'with a list in brackets',
      `[{ name: a, hash: "${HASH}" }]\n`,
      /cannot be added to as it is; write its list/,
    ],
    ['with an empty list in brackets', '# none\n[]\n', /cannot be added to as it is; write its list/],
    ['with an end of its own', `- { name: a, hash: "${HASH}" }\n...\n`, /nothing has been written/],
  ])('stays as it is, and no key is made: %s', async (_, text, expected) => {
    const { code, out, err, folder, now } = await added(text);
    expect({ code, out, now }).toEqual({ code: 1, out: '', now: text });
    expect(err).toMatch(expected);
    expect(err).toMatch(/nothing has been written/);
    expect(await readdir(folder)).toEqual(['keys.yaml']);
  });

  test('keeps its mode, and the link that leads to it', async () => {
    const folder = await folderWith({});
    await mkdir(join(folder, 'there'));
    await writeFile(join(folder, 'there/real.yaml'), '# ours\n');
    await chmod(join(folder, 'there/real.yaml'), 0o640);
    await symlink('there/real.yaml', join(folder, 'keys.yaml'));
    const { code } = await sallyport(['key', 'ci', '--file', join(folder, 'keys.yaml')]);
    expect(code).toBe(0);
    expect((await lstat(join(folder, 'keys.yaml'))).isSymbolicLink()).toBe(true);
    expect((await stat(join(folder, 'there/real.yaml'))).mode & 0o777).toBe(0o640);
    expect(keys(await readFile(join(folder, 'there/real.yaml'), 'utf8'))).toHaveLength(1);
  });

  test('that somebody else writes is left to them', async () => {
    const folder = await folderWith({ 'keys.yaml.new': 'theirs' });
    const { code, out, err } = await sallyport(['key', 'ci', '--file', join(folder, 'keys.yaml')]);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(
      /keys.yaml.new is there already: somebody else writes keys; if nobody does, remove it/,
    );
    expect(await readFile(join(folder, 'keys.yaml.new'), 'utf8')).toBe('theirs');
  });

  test('in a folder that is not there is told', async () => {
    const { code, err } = await sallyport(['key', 'ci', '--file', '/nowhere/keys.yaml']);
    expect(code).toBe(1);
    expect(err).toBe(
      'sallyport: cannot write /nowhere/keys.yaml: its folder does not exist; make it first\n',
    );
  });

  test('has a key once, whatever it is called', async () => {
    const file = join(await folderWith({}), 'keys.yaml');
    await sallyport(['key', 'old', '--file', file, '--hash'], {}, GIVEN);
    const { code, err } = await sallyport(['key', 'new', '--file', file, '--hash'], {}, GIVEN);
    expect(code).toBe(1);
    expect(err).toMatch(/written: this key is in \S+ \(line 1\) already, as that of old; take that one out/);
  });

  test('gets every key of many that are made one after the other', async () => {
    const file = join(await folderWith({}), 'keys.yaml');
    const made: string[] = [];
    for (const name of ['a', 'b', 'c'])
      made.push((await sallyport(['key', name, '--file', file])).out.trim());
    expect(keys(await readFile(file, 'utf8')).map(({ hash }) => hash)).toEqual(made.map(hashOfKey));
  });
});

describe('who may read a file of keys', () => {
  const asRoot = test.skipIf(process.getuid?.() !== 0);

  asRoot('stays who it was: owner, group and mode', async () => {
    const file = join(await folderWith({ 'keys.yaml': '# ours\n' }), 'keys.yaml');
    await chmod(file, 0o640);
    await chown(file, 1234, 4321);
    expect(await sallyport(['key', 'ci', '--file', file])).toMatchObject({ code: 0, err: '' });
    expect(await stat(file)).toMatchObject({ uid: 1234, gid: 4321, mode: 0o100640 });
  });

  asRoot('is the group of its folder where it is made', async () => {
    const folder = await folderWith({});
    await chown(folder, 0, 4321);
    const { err } = await sallyport(['key', 'ci', '--file', join(folder, 'keys.yaml')]);
    expect(await stat(join(folder, 'keys.yaml'))).toMatchObject({ uid: 0, gid: 4321 });
    expect(err).toMatch(/keys.yaml, which user 0 and group 4321 can read;/);
  });

  /** A file of somebody who may not give it away. */
  function refusing() {
    const modes: number[] = [];
    const handle = {
      stat: async () => ({ uid: 7, gid: 7 }),
      chown: async () => Promise.reject(Object.assign(new Error('no'), { code: 'EPERM' })),
      chmod: async (mode: number) => void modes.push(mode),
    };
    return { modes, handle: handle as unknown as Parameters<typeof keepAccess>[0] };
  }

  test('is not changed where the system refuses', async () => {
    const { handle, modes } = refusing();
    const theirs: Access = { uid: 0, gid: 4321, mode: 0o100640 };
    await expect(keepAccess(handle, 'keys.yaml', theirs)).rejects.toThrow(
      'nothing has been written: keys.yaml belongs to user 0 and group 4321, and a new file could not be given to them (EPERM); run this as that user or as root',
    );
    expect(modes).toEqual([]);
    await keepAccess(handle, 'keys.yaml', { uid: 7, gid: 7, mode: 0o100604 });
    expect(modes).toEqual([0o604]);
  });

  test('is said where the group of the folder cannot be given', async () => {
    const { handle, modes } = refusing();
    expect(await newAccess(handle, 'keys.yaml', { uid: 7, gid: 4321 })).toMatch(
      /^made keys.yaml, which user 7 and group 7 can read;/,
    );
    expect(modes).toEqual([0o640]);
  });
});
