import { expect, test } from 'vitest';
import { parseName } from '../../src/http/distinguished-name.ts';

test.each([
  ['CN=device-7,O=Acme', [['CN=device-7'], ['O=Acme']]],
  [' cn = device-7 , o=Acme ', [['CN=device-7'], ['O=Acme']]],
  ['O=x+CN=a,C=DE', [['CN=a', 'O=x'], ['C=DE']]],
  ['CN=a\\,O=b', [['CN=a,O=b']]],
  ['CN=a\\+O=b', [['CN=a+O=b']]],
  ['CN=a\\\\,O=b', [['CN=a\\'], ['O=b']]],
  ['CN=a\\0AO=b', [['CN=a\nO=b']]],
  ['CN=a\\\\0A', [['CN=a\\0A']]],
  ['CN=\\C3\\A9', [['CN=é']]],
  ['CN=é', [['CN=é']]],
  ['CN=x\\ ', [['CN=x ']]],
  ['CN=\\ x', [['CN= x']]],
  ['1.3.6.1=x', [['1.3.6.1=x']]],
  ['CN=', [['CN=']]],
  ['', []],
])('%j', (text, levels) => {
  expect(parseName(text)).toEqual(levels);
});

test.each(['device-7', 'CN=a,', 'CN=a+', ',CN=a', '=a', 'CN=a,,O=b', 'CN=a\\', '7=a b c,'])(
  '%j is no name',
  (text) => {
    expect(parseName(text)).toBeUndefined();
  },
);
