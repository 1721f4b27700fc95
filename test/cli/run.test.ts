import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { folderWith, sallyport } from '../support/cli.ts';

describe('help', () => {
  test('names every command', async () => {
    const { code, out } = await sallyport(['--help']);
    expect(code).toBe(0);
    for (const name of [
      'init',
      'check',
      'serve',
      'health',
      'token',
      'key',
      'forward',
      'stdio',
      'socks',
      'demo',
    ])
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
    [['stdio', 'https://gateway.example/'], /Expected a URL that begins with wss/],
  ])('%j', async (argv, expected) => {
    const { code, out, err } = await sallyport(argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(expected);
    expect(err).not.toMatch(/^ +at /m);
  });
});

describe('without a file a command is about', () => {
  /** What `check` complains about, started in a folder, with nothing but itself said. */
  async function told(folder: string, env: Record<string, string> = {}): Promise<string> {
    const argv = [resolve('src/main.ts'), 'check'];
    return new Promise((done) => {
      execFile(process.execPath, argv, { cwd: folder, env }, (_error, _out, err) => done(err));
    });
  }

  test('that of the environment, or of the folder it stands in, or of the package', async () => {
    const folder = await folderWith({});
    await mkdir(join(folder, 'config'));
    await writeFile(join(folder, 'config/sallyport.yaml'), 'x: 1');
    expect(await told(folder)).toMatch(/^sallyport: config\/sallyport.yaml has/);
    await writeFile(join(folder, 'sallyport.yaml'), 'x: 1');
    expect(await told(folder)).toMatch(/^sallyport: sallyport.yaml has/);
    expect(await told(folder, { SALLYPORT_CONFIG: 'other.yaml' })).toMatch(/^sallyport: other.yaml has/);
  });

  test('is said by its help', async () => {
    const { out } = await sallyport(['serve', '--help']);
    expect(out.replace(/\s+/g, ' ')).toContain(
      'configuration (default: $SALLYPORT_CONFIG, else sallyport.yaml if there is one here, else config/sallyport.yaml)',
    );
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
