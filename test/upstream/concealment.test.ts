import { describe, expect, test } from 'vitest';
import { Concealment } from '../../src/upstream/concealment.ts';

function hiding(secrets: readonly string[], parameters: readonly string[] = []): Concealment {
  const concealment = new Concealment(parameters);
  concealment.hide(secrets);
  return concealment;
}

describe('a text', () => {
  test.each([
    ['sk-abc.def', 'sk-abc.def', true],
    ['sk-abc.def', 'Bearer sk-abc.def!', true],
    ['sk-abc.def', 'sk-abcXdef', false],
    ['a+b/c==&d', 'x?key=a%2Bb%2Fc%3D%3D%26d', true],
    ['a+b/c==&d', 'a+b/c==&d', true],
    ['^a.c$(x)[1]|\\', '^a.c$(x)[1]|\\', true],
    ['short', 'short', false],
  ])('with the secret %s: %s tells it: %s', (secret, text, expected) => {
    expect(hiding([secret]).isIn(text)).toBe(expected);
  });

  test('tells nothing where nothing is secret, or nothing is any more', () => {
    expect(hiding([]).isIn('')).toBe(false);
    const concealment = hiding(['sk-abcdef']);
    concealment.hide(['sk-ghijkl']);
    expect(['sk-abcdef', 'sk-ghijkl'].map((text) => concealment.isIn(text))).toEqual([false, true]);
  });
});

/** A secret of which every escape makes something else. */
const KEY = 'sk-live-abc/q+r=s';
const [once, twice, thrice, often] = [1, 2, 3, 4].map(escapedTimes) as [string, string, string, string];

function escapedTimes(times: number): string {
  return times === 0 ? KEY : encodeURIComponent(escapedTimes(times - 1));
}

const lower = (text: string) => text.replace(/%../g, (each) => each.toLowerCase());

describe('a secret is found', () => {
  test.each([
    ['percent-encoded', once],
    ['percent-encoded in small letters', lower(once)],
    ['percent-encoded where nobody has to', once.replace('live', '%6Civ%65')],
    ['percent-encoded twice', twice],
    ['percent-encoded twice in small letters', lower(twice)],
    ['percent-encoded three times', thrice],
    ['behind a percent sign that escapes nothing', `100%${KEY}`],
    ['in JSON with escaped slashes', JSON.stringify({ key: KEY }).replaceAll('/', '\\/')],
    ['in JSON with characters by their numbers', KEY.replace('/', '\\u002F').replace('+', '\\u002b')],
    ['in a page', KEY.replace('/', '&#x2F;').replace('+', '&#43;')],
    ['in another case', KEY.toUpperCase()],
    ['as what a name may be', KEY.replace(/[^a-z-]/g, '-')],
    ['in Base64', btoa(KEY)],
    ['in Base64 behind one character', btoa(`:${KEY}`)],
    ['in Base64 behind two', btoa(`u:${KEY}`)],
    ['in Base64 in front of more', `Basic ${btoa(`me:${KEY}:more`)}`],
    ['in Base64url, without padding', Buffer.from(`me:${KEY}`).toString('base64url')],
  ])('%s', (_name, text) => {
    expect(hiding([KEY]).isIn(`see <${text}>!`)).toBe(true);
  });

  test.each([
    ['escaped oftener than anybody does', often],
    ['of which the end is missing', KEY.slice(0, -1)],
    ['of which something else has the beginning', btoa('sk-live-abd')],
  ])('but not %s', (_name, text) => {
    expect(hiding([KEY]).isIn(`see <${text}>!`)).toBe(false);
  });

  test.each(['a%41b%20cdef', 'a\\/b&amp;c"d+', 'a b+c-d_e'])('that looks escaped itself: %s', (secret) => {
    const concealment = hiding([secret]);
    const json = JSON.stringify(secret).replaceAll('/', '\\/');
    for (const text of [secret, encodeURIComponent(secret), json, `${new URLSearchParams({ a: secret })}`])
      expect([text, concealment.isIn(text)]).toEqual([text, true]);
  });

  test('in a text full of escapes in no time', () => {
    const concealment = hiding([KEY]);
    const text = `%${'25'.repeat(30_000)}${'\\u0025'.repeat(11_000)}`;
    const start = performance.now();
    expect(concealment.isIn(text)).toBe(false);
    expect(concealment.body(Buffer.from(text), {})).toHaveLength(text.length);
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});

describe('a body', () => {
  const told = (text: string, headers = {}) => hiding([KEY]).body(Buffer.from(text), headers).toString();

  test('that tells a secret is left out', () => {
    expect(told(`wrong key: ${KEY}`)).toBe('');
    expect(told(JSON.stringify({ key: KEY }).replaceAll('/', '\\/'))).toBe('');
    expect(told('wrong key: sk-***r=s')).toBe('wrong key: sk-***r=s');
  });

  test.each([
    ['the secret', KEY.slice(0, -1)],
    ['its first characters', KEY.slice(0, 8)],
    ['its Base64', btoa(`me:${KEY}`).slice(0, 16)],
    ['an escape', once.slice(0, once.indexOf('%') + 2)],
    ['an escaped escape', twice.slice(0, twice.indexOf('%') + 4)],
    ['an escape of JSON', `sk-live-abc\\u00`],
    ['an escape of a page', `sk-live-abc&#x2`],
  ])('that was cut within %s is left out', (_name, tail) => {
    expect(told(`wrong key: ${tail}`)).toBe('');
  });

  test.each(['the key does not begin with sk-live', 'sk-live-abc… is wrong', 'sk-live-xyz'])(
    'with less than that is told: %s',
    (text) => {
      expect(told(text)).toBe(text);
    },
  );

  test('that was cut within a secret that repeats its beginning is left out', () => {
    const secret = 'abababab-abababab-c';
    for (let length = 8; length < secret.length; length += 1) {
      const body = Buffer.from(`abababab${secret.slice(0, length)}`);
      expect(hiding([secret]).body(body, {}).toString()).toBe('');
    }
  });

  test.each([
    [{ 'content-encoding': 'gzip' }, ''],
    [{ 'content-encoding': 'identity, br' }, ''],
    [{ 'transfer-encoding': 'gzip, chunked' }, ''],
    [{ 'content-encoding': 'Identity', 'transfer-encoding': 'Chunked' }, 'text'],
  ])('that nobody has looked into is left out: %j', (headers, expected) => {
    expect(told('text', headers)).toBe(expected);
  });
});

test('a reason phrase that tells a secret gives way to the usual one', () => {
  const concealment = hiding([KEY]);
  expect(concealment.reason(401, 'no such key')).toBe('no such key');
  expect(concealment.reason(401, `bad key ${KEY}`)).toBe('Unauthorized');
  expect(concealment.reason(103, once)).toBe('Early Hints');
  expect(concealment.reason(599, twice)).toBe('');
});

test('fields that tell a secret are left out, by their names, too', () => {
  const raw = [
    'X-A',
    '1',
    'X-Echo',
    'Bearer sk-abcdef',
    'Set-Cookie',
    'k=sk-abcdef',
    'X-Sk-Abcdef',
    '',
    'x-b',
    '2',
  ];
  expect(hiding(['sk-abcdef']).fields(raw)).toEqual(['X-A', '1', 'x-b', '2']);
});

test.each(['Location', 'Content-Location', 'Link', 'Refresh'])(
  'a %s that tells an escaped secret is left out',
  (name) => {
    for (const text of [once, lower(once), twice, lower(twice), thrice])
      expect(hiding([KEY], ['key']).fields([name, `/login?next=${text}`, 'x-b', '2'])).toEqual(['x-b', '2']);
  },
);

describe('a place', () => {
  test.each([
    ['/x?key=sk-abcdef', '/x'],
    ['/x?a=%20&key=sk-abcdef&b#f?key=1', '/x?a=%20&b#f?key=1'],
    ['https://a.example/x?k%65y=sk%2Dabcdef', 'https://a.example/x'],
    ['?key=sk-abcdef', ''],
    ['/x?key=other', '/x?key=other'],
    ['/x?', '/x?'],
    ['/x#key=1', '/x#key=1'],
    ['/x?key=tiny', '/x'],
    ['/x?other=tiny', '/x?other=tiny'],
    ['/x?key=Token%20sk-abcdef', '/x'],
  ])('%s is told as %s', (location, expected) => {
    const concealment = hiding(['sk-abcdef', 'tiny'], ['v', 'key']);
    for (const name of ['Location', 'content-location'])
      expect(concealment.fields([name, location])).toEqual([name, expected]);
  });

  test.each(['/x?next=sk-abcdef', '/sk-abcdef/?key=sk-abcdef', '/x?next=%2Fx%3Fkey%3Dsk-abcdef'])(
    'that tells a secret elsewhere is left out: %s',
    (location) => {
      expect(hiding(['sk-abcdef'], ['key']).fields(['Location', location])).toEqual([]);
    },
  );

  test('is nothing else’s business', () => {
    expect(hiding(['tiny'], ['key']).fields(['X-Location', '/x?key=tiny'])).toEqual([
      'X-Location',
      '/x?key=tiny',
    ]);
  });
});
