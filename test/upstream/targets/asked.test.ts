import { isIP } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readAsked } from '../../../src/upstream/targets/asked.ts';

/** What is accepted, no other reader takes for anything else: here the URL standard's, which is the most generous of all. */

const PIECES = [
  ...[
    'a',
    'example',
    'localhost',
    'xn--',
    'xn--bcher-kva',
    '0',
    '1',
    '7',
    '10',
    '127',
    '255',
    '256',
    '0x7f',
    '0177',
    '4294967295',
  ],
  ...[
    '.',
    '..',
    ':',
    '::',
    '-',
    '_',
    '[',
    ']',
    '@',
    '/',
    '\\',
    '?',
    '#',
    '%',
    '%2e',
    '%41',
    ' ',
    '\t',
    '\n',
    '\0',
    '*',
    'ffff',
    'fe80',
  ],
  ...[
    'ü',
    'ß',
    '１',
    '。',
    '．',
    '\u00ad',
    '\u200b',
    '：',
    '／',
    '℀',
    'Ａ',
    '\ud800',
    ':80',
    ':443',
    ':0',
    ':65536',
    ':08',
  ],
];
const texts = fc
  .array(fc.constantFrom(...PIECES), { maxLength: 9 })
  .chain((pieces) => fc.constantFrom('', ':80', ':81', ':65535').map((port) => pieces.join('') + port));

/** Host and port as the URL standard reads them; undefined where it reads none. */
function urlOf(text: string): string | undefined {
  const url = URL.parse(`ws://${text}/`);
  if (url === null || url.username !== '' || url.pathname !== '/' || url.search + url.hash !== '')
    return undefined;
  return `${url.hostname.replace(/\.$/, '')}:${url.port || '80'}`;
}

test('what is accepted, the URL standard reads alike', () => {
  let accepted = 0;
  fc.assert(
    fc.property(texts, (text) => {
      const asked = readAsked(text);
      if (asked === undefined) return;
      accepted += 1;
      expect(asked.text).toBe(urlOf(text));
      expect(asked.isAddress).toBe(isIP(asked.host) !== 0);
      expect(asked.text).toMatch(/^(?:\[[\da-f:]+\]|[a-z0-9_.-]+):[1-9]\d*$/);
      expect(readAsked(asked.text)).toEqual(asked);
    }),
    { numRuns: 20_000 },
  );
  expect(accepted).toBeGreaterThan(100);
});
