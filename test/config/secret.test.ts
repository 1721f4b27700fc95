import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { beforeEach, describe, expect, test } from 'vitest';
import { CredentialError, readCredential, Secret } from '../../src/config/secret.ts';
import { folderWith } from '../support/cli.ts';

test('a secret is printed by nobody who prints what holds it', () => {
  const holder = { secret: new Secret('sk-abc') };
  expect(JSON.stringify(holder)).toBe('{"secret":"[secret]"}');
  expect(inspect(holder, { showHidden: true, depth: 9 })).not.toContain('sk-abc');
  expect(`${holder.secret}`).not.toContain('sk-abc');
  expect(holder.secret.reveal()).toBe('sk-abc');
});

describe('the file of a credential', () => {
  let file = '';
  beforeEach(async () => {
    file = join(await folderWith({}), 'a.key');
  });

  test.each([
    ['sk-abc', 'sk-abc'],
    ['sk-abc\n', 'sk-abc'],
    ['sk-abc\r\n', 'sk-abc'],
    ['a b', 'a b'],
    ['x'.repeat(8192), 'x'.repeat(8192)],
  ])('is read less one newline at its end: %j', (text, expected) => {
    writeFileSync(file, text);
    expect(readCredential(file, 'header')).toBe(expected);
  });

  test.each([
    ['', 'is empty'],
    ['\n', 'is empty'],
    ['sk-abc\n\n', 'is not one line of visible ASCII characters'],
    ['sk-abc\nsk-def', 'is not one line of visible ASCII characters'],
    ['sk-ä', 'is not one line of visible ASCII characters'],
    ['\ufeffsk-abc', 'is not one line of visible ASCII characters'],
    [' sk-abc', 'is not one line of visible ASCII characters'],
    ['x'.repeat(8193), 'is larger than 8 KiB'],
    ['x'.repeat(8195), 'is larger than 8 KiB'],
  ])('cannot be %j', (text, fault) => {
    writeFileSync(file, text);
    const read = () => readCredential(file, 'query');
    expect(read).toThrow(new CredentialError(`${file} ${fault}`));
  });

  test('cannot hold for a subprotocol what none can', () => {
    writeFileSync(file, 'sk=abc');
    expect(() => readCredential(file, 'subprotocol')).toThrow(
      `${file} is not one line of the characters that a subprotocol may have`,
    );
  });

  test('has to be there, and a file', () => {
    expect(() => readCredential(file, 'header')).toThrow(`cannot read ${file}: ENOENT`);
    mkdirSync(file);
    expect(() => readCredential(file, 'header')).toThrow(`${file} is not a file`);
  });
});
