import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { problemOf, sampleConfig, warningsOf } from '../support/config.ts';

/** The secret of those who may push and close by the admin listener. */

const SECRET = 'x'.repeat(32);
const FORM = 'at least 32 visible ASCII characters without spaces, as `openssl rand -base64 32` gives';

const withSecret = (secret: string) => sampleConfig({ top: `admin: { port: 9090, secret: ${secret} }` });
const parsed = (secret: string, options: object) =>
  parseConfig(withSecret(secret), options).config.admin?.secret;

describe('admin.secret', () => {
  test('comes from the environment', () => {
    expect(parsed(`"\${S}"`, { env: { S: SECRET } })).toBe(SECRET);
    expect(warningsOf(withSecret(`"\${S}"`), { S: SECRET })).toEqual([]);
  });

  test('or from a file, less one newline', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-admin-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'push.secret'), `${SECRET}\n`);
    expect(parsed('file:push.secret', { baseDir: folder })).toBe(SECRET);
    expect(problemOf(withSecret('push.secret'), {}, folder)).toMatch(
      /admin\.secret: is the name of a file; did you mean file:push\.secret\?$/,
    );
    expect(problemOf(withSecret('file:nowhere'), {}, folder)).toMatch(
      /admin\.secret: cannot read .*nowhere; /,
    );
  });

  test.each([
    ['too short', 'y'.repeat(31)],
    ['with a space', `${'y'.repeat(32)} y`],
    ['with a line break', `${'y'.repeat(32)}\n`],
    ['with what no field can carry', 'ÿ'.repeat(32)],
    ['endless', 'y'.repeat(4_097)],
  ])('is refused if it is %s, and not shown', (_what, secret) => {
    const problem = problemOf(withSecret(`"\${S}"`), { S: secret });
    expect(problem).toContain('admin.secret: ');
    expect(problem).toContain(FORM);
    expect(problem).not.toMatch(/[yÿ]{4}/);
  });

  test('is warned of where it stands in the file', () => {
    expect(warningsOf(withSecret(SECRET))).toEqual(['admin.secret: stands in the file for all to read']);
  });

  test('is warned of where it travels', () => {
    const text = sampleConfig({ top: `admin: { host: 0.0.0.0, port: 9090, secret: "\${S}" }` });
    expect(warningsOf(text, { S: SECRET })).toEqual([
      'admin.host: metrics are open to everybody who reaches this address, and its secret can be read on the way',
    ]);
  });
});

describe('admin.aws', () => {
  const withKey = (secret: string, id = 'AKIAIOSFODNN7EXAMPLE') =>
    sampleConfig({ top: `admin: { port: 9090, aws: { accessKeyId: ${id}, secretAccessKey: ${secret} } }` });

  test('has its key from the environment, or a file, and shows it to nobody', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-admin-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'aws.secret'), `${SECRET}\n`);
    for (const text of [withKey(`"\${S}"`), withKey('file:aws.secret')]) {
      const { config } = parseConfig(text, { env: { S: SECRET }, baseDir: folder });
      expect(config.admin?.aws?.secretAccessKey.reveal()).toBe(SECRET);
      expect(JSON.stringify(config)).not.toContain(SECRET);
    }
  });

  test('is warned of where its key stands in the file', () => {
    expect(warningsOf(withKey(SECRET))).toEqual([
      'admin.aws.secretAccessKey: stands in the file for all to read',
    ]);
  });

  test.each([
    ['a key that is too short', withKey(`"\${S}"`), 'y'.repeat(31), 'admin.aws.secretAccessKey: '],
    ['a name that is none', withKey(`"\${S}"`, 'a/b'), SECRET, 'admin.aws.accessKeyId: '],
  ])('with %s is refused, and nothing of the key is shown', (_what, text, secret, place) => {
    const problem = problemOf(text, { S: secret });
    expect(problem).toContain(place);
    expect(problem).not.toMatch(/[xy]{4}/);
  });
});
