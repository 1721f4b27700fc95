import { describe, expect, test } from 'vitest';
import { parsed, problemsOf, sampleConfig, warningsOf } from '../support/config.ts';

/** The sample's route with another `auth`, `rest` beside it, and an http service behind it. */
function site(auth: string, rest: string): string {
  return sampleConfig()
    .replace('auth: { issuer: main }', `auth: ${auth}\n    ${rest}`)
    .replace('websocket: ws://127.0.0.1:3000', 'http: http://127.0.0.1:3000');
}

const problems = (text: string) => problemsOf(text).map(({ path, message }) => `${path}: ${message}`);
const COOKIE = '{ issuer: main, token: [cookie:s] }';
const SESSION = '{ external: { url: "http://127.0.0.1:9/" } }';
const BEARER = '{ issuer: main }';
const PASSWORD = '{ issuer: main, token: [header, basic] }';

describe('origins', () => {
  test.each([COOKIE, SESSION])('are named where a cookie lets in: %s', (auth) => {
    expect(problems(site(auth, ''))).toEqual([
      'routes[0].origins: is required on a route that takes tokens from cookies',
    ]);
    expect(parsed(site(auth, 'origins: [https://a.example.com]')).routes).toHaveLength(1);
  });

  test.each(['*', 'null'])('cannot be %s there', (origin) => {
    expect(problems(site(COOKIE, `origins: [https://a.example.com, "${origin}"]`))).toEqual([
      'routes[0].origins[1]: lets any page act with the cookies of its visitors: name the origins',
    ]);
  });

  test.each([
    ['"*"', 'any page on the web'],
    ['"null"', 'pages that hide where they come from'],
    ['file://', 'any page on the disk'],
  ])('%s is warned of', (origin, message) => {
    expect(warningsOf(site(BEARER, `origins: [${origin}]`))).toEqual([
      expect.stringContaining(`routes[0].origins[0]: ${message}`),
    ]);
  });

  test('any port of this machine is not', () => {
    expect(warningsOf(site(BEARER, 'origins: ["http://localhost:*"]'))).toEqual([]);
    expect(warningsOf(site(COOKIE, 'origins: ["http://localhost:*"]'))).toEqual([]);
  });
});

describe('a login', () => {
  test('is of no use where nobody needs a token', () => {
    expect(problems(site('none', 'login: "/login?to={return}"'))).toEqual([
      'routes[0].login: has no effect on a route with auth: none: nobody is refused for want of a token',
    ]);
  });

  test('is of no use where no page is served', () => {
    const text = sampleConfig().replace(
      'auth: { issuer: main }',
      'auth: { issuer: main }\n    login: /login',
    );
    expect(problems(text)).toEqual([
      'routes[0].login: has no effect on a route that takes no plain requests',
    ]);
  });

  test.each(['//evil.example', 'javascript:alert(1)', '/\\evil', '/a b', '/{other}', 'https://u:p@a'])(
    'is not %s',
    (login) => {
      expect(problems(site(BEARER, `login: ${JSON.stringify(login)}`))[0]).toMatch(
        /^routes\[0\].login: .* is not an http:\/\/ or https:\/\/ URL/,
      );
    },
  );

  test.each([
    ['/login', /people come back to wherever/],
    ['https://id.example.com/in?to={return}', /on its own host only/],
  ])('%s is warned of', (login, message) => {
    expect(warningsOf(site(PASSWORD, `login: "${login}"`))).toEqual([expect.stringMatching(message)]);
  });

  test('of this host, or of a named site, is not', () => {
    expect(warningsOf(site(PASSWORD, 'login: "/login?to={return}"'))).toEqual([]);
    const named = site(PASSWORD, 'login: "https://id.example.com/in?to={return}"').replace(
      'match: { path: /chat }',
      'match: { host: app.example.com, path: /chat }',
    );
    expect(warningsOf(named)).toEqual([]);
  });
});

describe('a login from which nobody comes back with a token', () => {
  const LOGIN = 'origins: [https://a.example]\n    login: "/login?to={return}"';
  const back = (auth: string) => warningsOf(site(auth, LOGIN)).filter((text) => text.includes('comes back'));

  test.each([BEARER, '{ issuer: main, token: [header, "header:x-token", subprotocol, "subprotocol:t."] }'])(
    'is warned of: %s',
    (auth) => {
      expect(back(auth)).toEqual([
        'routes[0].login: nobody comes back with a token: a page that is opened brings no header and no subprotocol of its own',
      ]);
    },
  );

  test.each([
    COOKIE,
    PASSWORD,
    '{ issuer: main, token: [header, query:t] }',
    SESSION,
    '{ issuer: main, external: { url: "http://127.0.0.1:9/" } }',
  ])('is another one: %s', (auth) => expect(back(auth)).toEqual([]));
});

describe('an open route that any page can pass for its own', () => {
  const open = (listener: string, rest = '') =>
    site('none', rest)
      .replace('host: 127.0.0.1, port: 8080', listener)
      .replace(/issuers:\n.*\n/, '');
  const REBINDING = expect.stringContaining('routes[0].match: a page that lets its own name point here');

  test('is warned of on a private address in plain text', () => {
    expect(warningsOf(open('host: 192.168.1.5, port: 80'))).toEqual([REBINDING]);
  });

  test('is not where the name or the page must be known, nor on this machine, where other names are refused', () => {
    expect(warningsOf(open('host: 192.168.1.5, port: 80', 'origins: [http://192.168.1.5]'))).toEqual([]);
    expect(warningsOf(open('host: 127.0.0.1, port: 80'))).toEqual([]);
    expect(warningsOf(`${open('host: 192.168.1.5, port: 80')}trustedProxies: [10.0.0.1]`)).toEqual([]);
  });
});
