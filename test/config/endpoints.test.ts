import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { problemOf, sampleConfig, warningsOf } from '../support/config.ts';

const withAuth = (auth: string, rest = '') =>
  sampleConfig().replace('auth: { issuer: main }', `auth: ${auth}\n    ${rest}`);
const toHttp = (text: string) =>
  text.replace('websocket: ws://127.0.0.1:3000', 'http: http://127.0.0.1:3000');

describe('the prefix of endpoints', () => {
  test('is /.sallyport unless it is said', () => {
    expect(parseConfig(sampleConfig()).config.endpoints.prefix).toBe('/.sallyport');
    const { config } = parseConfig(sampleConfig({ top: 'endpoints: { prefix: /_gateway }' }));
    expect(config.endpoints.prefix).toBe('/_gateway');
  });

  test.each(['/', '/a/', '/a/*', '/{a}', 'a', '/a//b'])('is not %s', (prefix) => {
    expect(problemOf(sampleConfig({ top: `endpoints: { prefix: "${prefix}" }` }))).toMatch(
      /endpoints.prefix: .+ is not a path like \/\.sallyport, without names and \/\*/,
    );
  });

  test.each(['/', '/out/*', '/{out}'])('is like that of a logout, which is not %s', (path) => {
    const logout = `logout: { clientId: app, path: "${path}" }, audience:`;
    expect(problemOf(sampleConfig().replace('audience:', logout))).toMatch(
      /logout.path: .+ is not a path like \/\.sallyport, without names and \/\*/,
    );
  });

  test('that changes nothing is warned of', () => {
    const open = withAuth('{ issuer: main, onExpiry: ignore }');
    expect(warningsOf(`endpoints: { prefix: /_gateway }\n${open}`)).toEqual([
      expect.stringMatching(/^endpoints: has no effect/),
    ]);
  });
});

test('a place for logout tokens where clients ask is warned of', () => {
  const at = (path: string) =>
    warningsOf(sampleConfig().replace('audience:', `logout: { clientId: app, path: ${path} }, audience:`));
  expect(at('/.sallyport/refresh')).toEqual([
    'issuers.main.logout.path: takes /.sallyport/refresh, where clients of the gateway ask',
  ]);
  expect(at('/.sallyport/ticket')).toEqual([]);
});

describe('a route', () => {
  const at = (path: string, rest = '') =>
    toHttp(sampleConfig()).replace('path: /chat', `path: "${path}"${rest}`);

  test.each([
    ['/.sallyport/*', ''],
    ['/.sallyport/refresh', ''],
    ['/.sallyport/{x}', ''],
    ['/.SALLYPORT/Refresh', ', ignoreCase: true'],
  ])('at %s is warned of: it takes what the gateway would answer', (path, rest) => {
    expect(warningsOf(at(path, rest))).toEqual([
      expect.stringMatching(/match.path: takes \/.sallyport\/refresh, which the gateway would answer itself/),
    ]);
  });

  test.each(['/*', '/{a}/{b}', '/.sallyport/ticket', '/.sallyport'])('at %s is not', (path) => {
    expect(warningsOf(at(path))).toEqual([]);
  });

  test('that takes upgrades alone is not', () => {
    expect(warningsOf(sampleConfig().replace('path: /chat', 'path: /.sallyport/refresh'))).toEqual([]);
  });
});

describe('tickets', () => {
  test('stand in ?ticket=, or in another parameter', () => {
    const [route] = parseConfig(withAuth('{ issuer: main, token: [ticket, "ticket:t"] }')).config.routes;
    expect(route?.auth).toMatchObject({
      token: [
        { from: 'ticket', name: '' },
        { from: 'ticket', name: 't' },
      ],
    });
  });

  test('end within 30 s at the latest', () => {
    const within = (time: string) =>
      withAuth(`{ issuer: main, token: [ticket], tickets: { within: ${time} } }`);
    expect(warningsOf(within('30s'))).toEqual([]);
    expect(problemOf(within('31s'))).toMatch(/auth.tickets.within: "31s" is not at most 30s/);
  });

  test.each([
    ['{ issuer: main, tickets: { within: 5s } }', /auth.tickets: has no effect without `ticket`/],
    ['{ issuer: main, token: [ticket], forwardToken: true }', /auth.forwardToken: has no effect/],
  ])('%s would do nothing', (auth, problem) => {
    expect(problemOf(withAuth(auth))).toMatch(problem);
  });

  test('are refused on a route that takes no upgrades', () => {
    const text = toHttp(withAuth('{ issuer: main, token: [header, ticket] }')).replace(
      'http: http://127.0.0.1:3000',
      'http: http://127.0.0.1:3000, upgrades: off',
    );
    expect(problemOf(text)).toMatch(/auth.token\[1\]: a ticket is for an upgrade, and this route takes none/);
  });

  test('that plain requests cannot show are warned of', () => {
    expect(warningsOf(toHttp(withAuth('{ issuer: main, token: [ticket] }')))).toEqual([
      expect.stringMatching(/auth.token: no plain request gets in/),
    ]);
    expect(warningsOf(toHttp(withAuth('{ issuer: main, token: [ticket, header] }')))).toEqual([]);
  });

  test('fill no target', () => {
    const text = withAuth('{ issuer: main, token: [ticket] }').replace(
      'websocket: ws://127.0.0.1:3000',
      'tcp: "{query.ticket}:80", allow: ["10.0.0.0/8:80"]',
    );
    expect(problemOf(text)).toMatch(/\?ticket= is where the ticket stands/);
  });
});
