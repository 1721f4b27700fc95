import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { parsed, problemOf, sampleConfig } from '../support/config.ts';

const KEYS = 'algorithms: [ES256], jwks: https://id.example.com/keys';
const issuer = (keys: string) => sampleConfig().replace(KEYS, keys);
const withAuth = (auth: string, rest = '') =>
  sampleConfig().replace('auth: { issuer: main }', `auth: ${auth}\n    ${rest}`);
/** A route with this path, and more of its match behind a comma, to an http service that does not see `prefix`. */
function stripping(path: string, prefix: string): string {
  const [text, ...more] = path.split(', ');
  const match = [`path: "${text}"`, ...more].join(', ');
  return sampleConfig()
    .replace('path: /chat', match)
    .replace('websocket: ws://127.0.0.1:3000', `http: http://127.0.0.1:3000, stripPrefix: ${prefix}`);
}

describe('an issuer', () => {
  test('has one source of keys', () => {
    expect(problemOf(issuer('algorithms: [ES256]'))).toMatch(/issuers.main: .* this one has none$/);
    expect(problemOf(issuer('algorithms: [HS256], secret: x, jwks: https://a'))).toMatch(
      /this one has jwks and secret$/,
    );
  });

  test.each(['http:', 'https://', 'https://me:s3cr3t@a', 'http://a b', 'https://a#b'])(
    'cannot fetch its keys from %s',
    (url) => {
      expect(problemOf(issuer(`algorithms: [ES256], jwks: "${url}"`))).toMatch(
        /issuers.main.jwks: .* is not an http:\/\/ or https:\/\/ URL without credentials, or a file$/,
      );
    },
  );

  test.each([
    ['algorithms: [ES256, RS256], secret: x', 'ES256, RS256 cannot be verified with a secret'],
    ['algorithms: [ES256, HS256], jwks: https://a', 'HS256 cannot be verified with a jwks'],
    ['algorithms: [HS256], discovery: true', 'HS256 cannot be verified with keys found by discovery'],
  ])('with %s cannot work', (keys, expected) => {
    expect(problemOf(issuer(keys))).toMatch(`issuers.main.algorithms: ${expected}`);
  });

  test.each([
    'realtime',
    'https://id.example.com/?a',
    'https://id.example.com/#a',
    'https://me:s3cr3t@id.example.com/',
    'urn:example:id',
  ])('is not discovered by the name %s', (name) => {
    const text = issuer('algorithms: [ES256], discovery: true').replace(
      'issuer: https://id.example.com/',
      `issuer: "${name}"`,
    );
    expect(problemOf(text)).toMatch(/issuers.main.issuer: discovery needs an http:\/\/ or https:\/\/ URL/);
  });

  test('is discovered by its URL alone', () => {
    const { config } = parseConfig(issuer('algorithms: [ES256], discovery: true'));
    expect(config.issuers.main).toMatchObject({ discovery: true, issuer: 'https://id.example.com/' });
  });

  test('cannot give tokens more than a minute of grace', () => {
    const keys = 'algorithms: [ES256], jwks: https://a, clockTolerance: 61s';
    expect(problemOf(issuer(keys))).toMatch('issuers.main.clockTolerance: is over a minute; at most 1m');
  });

  test.each(['none', 'ES256K', 'hs256'])('does not know the algorithm %s', (name) => {
    expect(problemOf(issuer(`algorithms: [${name}], secret: x`))).toMatch(
      /issuers.main.algorithms\[0\]: .* is not one of HS256/,
    );
  });
});

describe('a route', () => {
  test.each([
    ['{}', 'none'],
    ['{ upgrades: off }', 'none'],
    ['{ websocket: ws://a, tcp: a:1 }', 'websocket and tcp'],
    ['{ http: http://a, websocket: ws://a, tcp: a:1 }', 'websocket and tcp and http'],
  ])('with the upstream %s is refused', (upstream, found) => {
    expect(problemOf(sampleConfig().replace('{ websocket: ws://127.0.0.1:3000 }', upstream))).toMatch(
      `routes[0].upstream: an upstream is http, or one of websocket, tcp, poll, post, or http and one of those; this one is ${found}`,
    );
  });

  test.each([
    'http: http://a',
    'http: http://a, upgrades: off',
    'http: http://a, websocket: ws://b',
    'http: http://a, tcp: b:1',
    'http: http://a, poll: { target: http://b, poll: { path: / } }',
    'websocket: ws://a',
    'tcp: a:1',
    'poll: { target: http://a, poll: { path: / } }',
  ])('with the upstream { %s } is legal', (upstream) => {
    const text = sampleConfig().replace('websocket: ws://127.0.0.1:3000', upstream);
    expect(parsed(text).routes).toHaveLength(1);
  });

  test.each([
    ['/app/*', '/app'],
    ['/app', '/app'],
    ['/app/', '/app'],
    ['/a/b/{c}/*', '/a/b'],
    ['/app/x', '/app/x'],
  ])('on %s may leave out %s', (path, prefix) => {
    expect(parsed(stripping(path, prefix)).routes[0]?.upstream.stripPrefix).toBe(prefix);
  });

  test.each([
    ['/*', '/app'],
    ['/apple/*', '/app'],
    ['/{app}/*', '/app'],
    ['/App/*', '/app'],
    ['/app/*', '/app/x'],
  ])('on %s cannot leave out %s', (path, prefix) => {
    expect(problemOf(stripping(path, prefix))).toContain(
      `routes[0].upstream.stripPrefix: match.path (${path}) does not begin with these segments`,
    );
  });

  test.each(['/*', '/{room}/7', '/-/*'])('cannot ignore the case of %s, which has none', (path) => {
    const text = sampleConfig().replace('path: /chat', `path: "${path}", ignoreCase: true`);
    expect(problemOf(text)).toMatch(/routes\[0\].match.ignoreCase: has no effect: the path has no letters$/);
  });

  test('that is matched in any case may leave out a prefix in another', () => {
    const text = stripping('/App/*, ignoreCase: true', '/app');
    expect(parsed(text).routes).toHaveLength(1);
  });

  test('that takes tokens from cookies must name origins', () => {
    const auth = '{ issuer: main, token: [header, cookie:session] }';
    expect(problemOf(withAuth(auth))).toMatch(
      /routes\[0\].origins: is required on a route that takes tokens from cookies$/,
    );
    expect(parsed(withAuth(auth, 'origins: [https://a.example.com]')).routes).toHaveLength(1);
  });

  test.each([
    ['http://a/auth', ', tls: { verify: off }', 'auth.external.tls: has no effect: url is not https://'],
    ['unix:/run/a.sock', ', tls: { verify: off }', 'auth.external.tls: has no effect: url is not https://'],
    [
      'https://a/auth',
      ', tls: { servername: b, cert: package.json }',
      'tls.cert: has no effect without its key',
    ],
    [`unix:/${'x'.repeat(120)}`, '', 'auth.external.url: the path of the socket has 121 bytes; at most 107'],
  ])('that asks another service at %s%s is refused', (url, more, problem) => {
    const auth = `{ external: { url: "${url}", forward: [accept]${more} } }`;
    expect(problemOf(withAuth(auth))).toContain(problem);
  });

  test('that asks another service by a unix socket has it below the file’s folder', () => {
    const auth = '{ external: { url: "unix:run/a.sock:/auth?b=1", forward: [accept] } }';
    const [route] = parseConfig(withAuth(auth), { baseDir: '/etc/gate' }).config.routes;
    expect(route?.auth).toMatchObject({ external: { url: 'unix:/etc/gate/run/a.sock:/auth?b=1' } });
  });

  test('that asks another service about cookies must name origins', () => {
    const asking = (forward: string) => `{ external: { url: "http://a/auth"${forward} } }`;
    expect(problemOf(withAuth(asking('')))).toMatch(/routes\[0\].origins: is required on a route/);
    expect(parsed(withAuth(asking(', forward: [authorization]'))).routes).toHaveLength(1);
    expect(parsed(withAuth(asking(''), 'origins: [https://a.example.com]')).routes).toHaveLength(1);
  });

  test.each([
    ['connection', 'speaks of one connection only'],
    ['Upgrade', 'speaks of one connection only'],
    ['proxy-authorization', 'speaks of one connection only'],
    ['content-length', 'speaks of one connection only'],
    ['sec-websocket-key', 'speaks of one connection only'],
    ['host', 'the gateway says this itself'],
    ['X-Forwarded-User', 'the gateway says this itself'],
    ['x-forwarded-uri', 'the gateway says this itself'],
    ['x-original-url', 'the gateway says this itself'],
    ['x-original-method', 'the gateway says this itself'],
    ['x-real-ip', 'the gateway says this itself'],
    ['x-request-id', 'the gateway says this itself'],
  ])('cannot tell another service what the client says in %s', (name, message) => {
    const auth = `{ external: { url: "http://a/auth", forward: [accept, ${name}] } }`;
    expect(problemOf(withAuth(auth))).toContain(`routes[0].auth.external.forward[1]: `);
    expect(problemOf(withAuth(auth))).toContain(message);
  });

  test.each(['subject', 'expires'])('cannot read %s from what is never a claim', (key) => {
    for (const name of ['set-cookie', 'content-length', 'Connection', 'proxy-x', 'sec-websocket-accept']) {
      const auth = `{ external: { url: "http://a/auth", forward: [accept], ${key}: ${name} } }`;
      expect(problemOf(withAuth(auth))).toContain(
        `routes[0].auth.external.${key}: this header of an answer is never a claim`,
      );
    }
    const auth = `{ external: { url: "http://a/auth", forward: [accept], ${key}: x-real-ip } }`;
    expect(parsed(withAuth(auth)).routes).toHaveLength(1);
  });

  test.each([
    ['forward: { x-device: /certificate/commonName }', 'forward.x-device'],
    ['require: { /certificate/subject: CN=a }', 'require["/certificate/subject"]'],
    ['require: { /certificate: a }', 'require["/certificate"]'],
  ])('cannot take a certificate’s names from a token: %s', (rest, path) => {
    const problem = problemOf(withAuth(`{ issuer: main, ${rest} }`));
    expect(problem).toContain(`routes[0].auth.${path}: there is no certificate on this route`);
    const fine = rest.replace('/certificate', '/certificates');
    expect(parsed(withAuth(`{ issuer: main, ${fine} }`)).routes).toHaveLength(1);
  });

  test('cannot choose a credential by a certificate that nobody is asked for', () => {
    const lent = (claim: string) =>
      withAuth('{ issuer: main }').replace(
        'websocket: ws://127.0.0.1:3000',
        `websocket: ws://127.0.0.1:3000, credentials: { header: x-key, value: "\${KEY}", when: { ${claim}: a } }`,
      );
    const env = { KEY: 'a key of some length' };
    expect(problemOf(lent('/certificate/commonName'), env)).toContain(
      'routes[0].upstream.credentials: there is no certificate on this route',
    );
    expect(parsed(lent('/certificates/commonName'), env).routes).toHaveLength(1);
  });

  test('may show another service a token among the subprotocols', () => {
    const auth = '{ external: { url: "http://a/auth", forward: [sec-websocket-protocol, origin] } }';
    expect(parsed(withAuth(auth)).routes).toHaveLength(1);
  });

  test('that answers CORS itself must name origins', () => {
    const answering = (rest: string) =>
      sampleConfig().replace(
        '{ websocket: ws://127.0.0.1:3000 }',
        `{ http: http://a }\n    cors: answer${rest}`,
      );
    expect(problemOf(answering(''))).toMatch(
      /routes\[0\].origins: is required on a route with cors: answer, which answers to these alone$/,
    );
    expect(parsed(answering('\n    origins: [https://a.example.com]')).routes).toHaveLength(1);
    expect(parsed(answering('').replace('cors: answer', 'cors: upstream')).routes).toHaveLength(1);
  });

  test.each([
    'host',
    'Connection',
    'x-forwarded-for',
    'Sec-WebSocket-Key',
    'content-length',
    'Proxy-User',
    'te',
  ])('cannot forward a claim as %s', (name) => {
    expect(problemOf(withAuth(`{ issuer: main, forward: { ${name}: sub } }`))).toMatch(/set by the gateway/);
  });

  test('can forward a claim as any other header', () => {
    const { auth } = parsed(withAuth('{ issuer: main, forward: { X-User: sub } }')).routes[0] ?? {};
    expect(auth).toMatchObject({ forward: { 'x-user': 'sub' } });
  });
});
