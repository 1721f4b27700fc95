import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { sallyport } from '../support/cli.ts';

describe('help', () => {
  test('names every command', async () => {
    const { code, out } = await sallyport(['--help']);
    expect(code).toBe(0);
    for (const name of ['init', 'check', 'serve', 'health', 'token', 'key', 'demo'])
      expect(out).toMatch(new RegExp(`^  ${name}`, 'm'));
  });

  test('of a command names its options', async () => {
    const { code, out } = await sallyport(['token', '--help']);
    expect(code).toBe(0);
    expect(out).toContain('--expires <duration>');
  });
});

test('the version is that of the package', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(await sallyport(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' });
});

describe('bad usage ends with 2, a sentence, and nothing on stdout', () => {
  test.each([
    [[], /^Usage: sallyport/],
    [['chek'], /unknown command 'chek'\n\(Did you mean check\?\)/],
    [['check', '--fast'], /unknown option '--fast'/],
    [['check', 'a', 'b'], /too many arguments/],
    [['health', '--timeout', 'soon'], /Expected a duration like 500ms or 2s/],
    [['demo', '--port', '70000'], /Expected a number from 0 to 65535/],
    [['token', '--expires', 'soon'], /Expected a duration like/],
    [['token', '--claim', 'novalue'], /Expected NAME=VALUE/],
  ])('%j', async (argv, expected) => {
    const { code, out, err } = await sallyport(argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(expected);
    expect(err).not.toMatch(/^ +at /m);
  });
});

test('a configuration that is not there ends with 2', async () => {
  for (const command of ['serve', 'check']) {
    const { code, err } = await sallyport([command, '/nowhere/gate.yaml']);
    expect(code).toBe(2);
    expect(err).toBe(
      'sallyport: /nowhere/gate.yaml has a problem:\n  /nowhere/gate.yaml:1:1 there is no such file\n',
    );
  }
});
