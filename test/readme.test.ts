import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseConfig } from '../src/config/load.ts';
import { ERROR_CODES, GatewayError } from '../src/errors.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

test('the table of failures is the one in src/errors.ts', () => {
  const table = readme.split('<!-- failures')[1]?.split('<!-- /failures')[0] ?? '';
  const rows = table.split('\n').filter((line) => /^\| [A-Z_]+ \|/.test(line));
  const expected = ERROR_CODES.map((code) => {
    const error = new GatewayError(code);
    return `| ${code} | ${error.status} | ${error.close} | ${error.message} |`;
  });
  expect(rows).toEqual(expected);
});

test('the ten lines of configuration are a configuration', () => {
  const yaml = readme.split('```yaml\n')[1]?.split('```')[0] ?? '';
  // The certificate's files are the reader's.
  const plain = yaml.replace(/, tls: \{.*\} \}\]$/m, ' }]');
  expect(parseConfig(plain).config.routes[0]?.name).toBe('chat');
});

test('every file the source tour names is there', () => {
  const tour = readme.split('## The source')[1]?.split('##')[0] ?? '';
  const names = [...tour.matchAll(/`(src\/[\w./]+)`/g)].map((match) => match[1] as string);
  expect(names.length).toBeGreaterThan(10);
  for (const name of names)
    expect(() => readFileSync(new URL(`../${name}`, import.meta.url))).not.toThrow(/ENOENT/);
});

test('every dependency has its sentence', () => {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const { dependencies } = JSON.parse(manifest) as { dependencies: Record<string, string> };
  for (const name of Object.keys(dependencies)) expect(readme).toContain(`\`${name}\``);
});
