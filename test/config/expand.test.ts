import { describe, expect, test } from 'vitest';
import { parsed, problemOf, sampleConfig } from '../support/config.ts';

const port = (text: string) => sampleConfig().replace('8080', () => text);
const issuer = (text: string) => sampleConfig().replace('https://id.example.com/,', () => `${text},`);

describe('a variable', () => {
  test('is a number where a number belongs', () => {
    expect(parsed(port(`"\${PORT}"`), { PORT: '9000' }).listeners[0]?.port).toBe(9000);
  });

  test('is a text where a text belongs, though it looks like a number', () => {
    expect(parsed(issuer(`"\${ISS}"`), { ISS: '12345' }).issuers.main?.issuer).toBe('12345');
  });

  test('is true or false where that belongs', () => {
    const text = sampleConfig().replace(
      'auth: { issuer: main }',
      `auth: { issuer: main, forwardToken: "\${YES}" }`,
    );
    expect(parsed(text, { YES: 'true' }).routes[0]?.auth).toMatchObject({ forwardToken: true });
  });

  test('may be a part of a text, several times', () => {
    expect(parsed(issuer(`"https://\${A}.\${B}/\${A}"`), { A: 'x', B: 'y' }).issuers.main?.issuer).toBe(
      'https://x.y/x',
    );
  });

  test('is not looked into for further variables', () => {
    expect(parsed(issuer(`"\${A}"`), { A: `\${B}`, B: 'no' }).issuers.main?.issuer).toBe(`\${B}`);
  });

  test('is not read after two dollar signs', () => {
    expect(parsed(issuer(`"$\${A}"`)).issuers.main?.issuer).toBe(`\${A}`);
  });

  test.each([
    [`\${PORT}`, 'the environment has no PORT'],
    [`\${toString}`, 'the environment has no toString'],
    [
      `\${PORT:-80}`,
      `\${PORT:-80} names no environment variable; write \${NAME}, or $\${ for the characters themselves`,
    ],
    [
      `\${PORT`,
      `\${PORT names no environment variable; write \${NAME}, or $\${ for the characters themselves`,
    ],
    [`\${}`, `\${} names no environment variable; write \${NAME}, or $\${ for the characters themselves`],
  ])('%s is refused where it is not set', (text, expected) => {
    expect(problemOf(port(`"${text}"`))).toBe(`1:38 listeners[0].port: ${expected}`);
  });

  test('that is no number is told as it stands in the file', () => {
    expect(problemOf(port(`"\${PORT}"`), { PORT: '80a' })).toBe(
      `1:38 listeners[0].port: "\${PORT}" is not a number`,
    );
  });

  test('that is set to nothing leaves nothing', () => {
    expect(problemOf(issuer(`"\${A}"`), { A: '' })).toMatch(/issuers.main.issuer: must not be empty$/);
  });
});
