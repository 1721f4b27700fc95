import { execFileSync } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseApiKeys, parseInTurns, readApiKeys } from '../../src/config/api-keys.ts';
import { ConfigError, formatProblem } from '../../src/config/problem.ts';
import { folderWith } from '../support/cli.ts';

const ONE = `sha256:${'1'.repeat(64)}`;
const TWO = `sha256:${'2'.repeat(64)}`;

/** The problems of a text, one a line. */
function problemsOf(text: string): string[] {
  try {
    parseApiKeys(text, 'keys.yaml');
  } catch (error) {
    if (error instanceof ConfigError)
      return error.problems.map((problem) => formatProblem('keys.yaml', problem));
    throw error;
  }
  throw new Error('the file was accepted');
}

describe('a file of keys', () => {
  test('tells who has them, what is known of them, and until when', () => {
    const text = `# ours
- { name: ci, hash: "${ONE.toUpperCase().replace('SHA', 'sha')}" }
- name: device-7
  hash: ${TWO}
  expires: 2027-01-31
  claims: { site: { id: 7 }, roles: [read, write] }
`;
    expect(parseApiKeys(text, 'keys.yaml')).toEqual([
      { name: 'ci', hash: ONE, claims: {} },
      {
        name: 'device-7',
        hash: TWO,
        expires: Date.UTC(2027, 0, 31),
        claims: { site: { id: 7 }, roles: ['read', 'write'] },
      },
    ]);
  });

  test.each([
    ['2027-01-31', '2027-01-31T00:00:00Z'],
    ['2027-01-31T18:00:00Z', '2027-01-31T18:00:00Z'],
    ['2027-01-31T18:00:00.5+02:00', '2027-01-31T16:00:00.5Z'],
  ])('may say that one ends at %s', (expires, instant) => {
    const [key] = parseApiKeys(`- { name: a, hash: "${ONE}", expires: ${expires} }`, 'keys.yaml');
    expect(key?.expires).toBe(Date.parse(instant));
  });

  test.each(['', '# none yet\n', '[]'])('may have none: %j', (text) => {
    expect(parseApiKeys(text, 'keys.yaml')).toEqual([]);
  });
});

const keyWith = (members: string) => `- { name: a, hash: "${ONE}", ${members} }`;

describe('refused with place and remedy is', () => {
  test.each([
    ['keys: 1', ['keys.yaml:1:1 a mapping is not a list, each key with its name and hash']],
    ['- { name: a }', [/^keys.yaml:1:3 \[0\].hash: is missing; expected sha256: and 64 hexadecimal digits/]],
    [`- { hash: "${ONE}" }`, [/^keys.yaml:1:3 \[0\].name: is missing; expected a name/]],
    [
      '- { name: a, hash: "sha256:12" }',
      [/^keys.yaml:1:20 \[0\].hash: .* is not sha256: and 64 hexadecimal/],
    ],
    [`- { name: "a\\nb", hash: "${ONE}" }`, [/\[0\].name: .* is not a name of at most 128 characters/]],
    [keyWith('exprires: 2027-01-01'), [/\[0\].exprires: unknown key; did you mean expires\?$/]],
    [keyWith('scope: x'), [/\[0\].scope: unknown key; known here: name, hash, expires, claims$/]],
    [keyWith('expires: tomorrow'), [/\[0\].expires: "tomorrow" is not a date like 2027-01-31, or a time/]],
    [keyWith('expires: 2027-02-30'), [/\[0\].expires: "2027-02-30" is not a date/]],
    [keyWith('expires: 2027-01-01T12:00:00'), [/\[0\].expires: .* is not a date/]],
    [keyWith('claims: { sub: b }'), [/\[0\].claims.sub: is the name of the key already; remove it$/]],
    [keyWith('claims: [a]'), [/\[0\].claims: a list is not a mapping/]],
    [
      `- { name: a, hash: "${ONE}" }\n- { name: a, hash: "${ONE}" }`,
      [
        /^keys.yaml:2:11 \[1\].name: is that of the key at \[0\] too/,
        /^keys.yaml:2:20 \[1\].hash: is that of/,
      ],
    ],
    [
      [ONE, TWO, `sha256:${'3'.repeat(64)}`]
        .map((hash) => `- { name: x${hash[7]}, hash: "${hash}" }\n`)
        .join('')
        .replace('x3', 'x2'),
      [/^keys.yaml:3:11 \[2\].name: is that of the key at \[1\] too/],
    ],
    ['- { name: a', [/^keys.yaml:1:\d+ is not readable as YAML: /]],
  ])('%s', (text, expected) => {
    expect(problemsOf(text)).toEqual(
      expected.map((line) => (typeof line === 'string' ? line : expect.stringMatching(line))),
    );
  });

  test('nesting without an end', () => {
    const text = keyWith(`claims: { a: ${'['.repeat(30)}${']'.repeat(30)} }`);
    expect(problemsOf(text)).toEqual(['keys.yaml:1:1 is nested too deeply']);
  });

  test('what is no file of keys, whatever it is: with problems, and never a key among them', () => {
    const secret = 'sp_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO';
    const value = fc.oneof(fc.constant(secret), fc.jsonValue({ maxDepth: 3 }));
    const entry = fc.oneof(value, fc.record({ hash: value, claims: value, name: fc.string() }));
    fc.assert(
      fc.property(fc.oneof(value, fc.array(entry)), (data) => {
        try {
          parseApiKeys(JSON.stringify(data), 'keys.yaml');
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
          expect((error as Error).message).not.toContain(secret);
        }
      }),
    );
  });
});

describe('a file that cannot be read is told by its name', () => {
  const problemOf = (file: string) =>
    readApiKeys(file).then(
      () => 'it was read',
      (error: ConfigError) => error.problems.map(({ message }) => message).join(),
    );

  test('because it is not there, is a folder, or a pipe', async () => {
    const folder = await folderWith({});
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    expect(await problemOf(join(folder, 'none'))).toBe('cannot be read: there is no such file');
    expect(await problemOf(folder)).toBe('is not a file');
    expect(await problemOf(join(folder, 'pipe'))).toBe('is not a file');
  });

  test('because it is too large', async () => {
    const file = join(await folderWith({}), 'keys.yaml');
    writeFileSync(file, '');
    truncateSync(file, 2 ** 20 + 1);
    expect(await problemOf(file)).toBe('is larger than 1 MiB');
  });
});

describe('a file of many keys', () => {
  const keyed = (number: number) =>
    `- name: k${number}\n  hash: sha256:${String(number).padStart(64, '0')}\n`;
  const many = (count: number) => Array.from({ length: count }, (_, number) => keyed(number)).join('');
  const fileOf = async (text: string) => join(await folderWith({ 'keys.yaml': text }), 'keys.yaml');

  test('is read part by part, with a turn for others behind each', async () => {
    let turns = 0;
    const reading = parseInTurns(`---\n# ours\n${many(1_000)}`, 'keys.yaml');
    const count = () => {
      turns++;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    const keys = await reading;
    clearImmediate(timer);
    expect(keys).toEqual(parseApiKeys(many(1_000), 'keys.yaml'));
    expect(turns).toBeGreaterThanOrEqual(19);
  });

  test.each([
    [
      'a key that comes twice',
      many(200) + keyed(7),
      /keys.yaml:401:9 \[200\].name: is that of the key at \[7\] too/,
    ],
    ['a fault', `${many(200)}- name: other\n`, /keys.yaml:401:3 \[200\].hash: is missing/],
  ])('tells %s at its place', async (_what, text, problem) => {
    await expect(readApiKeys(await fileOf(text))).rejects.toThrow(problem);
  });

  test.each([
    [
      'that refers to what is said elsewhere',
      `- { name: a, hash: "${ONE}", claims: &c { a: 1 } }\n${many(100)}- { name: b, hash: "${TWO}", claims: *c }\n`,
    ],
    ['in brackets', `[\n{ name: a, hash: "${ONE}" },\n{ name: b, hash: "${TWO}" }\n]`],
    ['that are set in', `  - { name: a, hash: "${ONE}" }\n  - { name: b, hash: "${TWO}" }\n`],
    ['with a name over two lines', `- name: "a\n    - b"\n  hash: ${ONE}\n${many(100)}`],
  ])('%s is what it is as a whole', async (_what, text) => {
    expect(await readApiKeys(await fileOf(text))).toEqual(parseApiKeys(text, 'keys.yaml'));
  });
});
