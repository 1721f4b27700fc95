import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, onTestFinished, test } from 'vitest';
import { loadConfig, parseConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { parsed, problemOf, problemsOf, sampleConfig } from '../support/config.ts';

describe('parseConfig', () => {
  test('fills in defaults, in milliseconds and bytes', () => {
    const { drain, trustedProxies, issuers, routes } = parsed(sampleConfig());
    expect({ drain, trustedProxies }).toEqual({ drain: 10_000, trustedProxies: [] });
    expect(issuers.main?.clockTolerance).toBe(5000);
    expect(routes[0]).toMatchObject({
      auth: { token: [{ from: 'header', name: '' }], onExpiry: 'close', forwardToken: false },
      timeouts: { handshake: 10_000, stall: 30_000, close: 5000 },
      keepalive: { every: 30_000, within: 10_000 },
      refuse: 'http',
      limits: {},
    });
  });

  test('freezes what it gives, to the bottom', () => {
    const config = parsed(`${sampleConfig()}\ntrustedProxies: [10.0.0.0/8]`);
    const unfrozen: unknown[] = [];
    function walk(value: unknown): void {
      if (typeof value !== 'object' || value === null || value instanceof ipaddr.IPv4) return;
      if (!Object.isFrozen(value)) unfrozen.push(value);
      Object.values(value).forEach(walk);
    }
    walk(config);
    expect(unfrozen).toEqual([]);
  });

  test('reports every problem of every kind at once, in the order of the file', () => {
    const text = `listeners:
  - hots: localhost
    port: \${PORT}
issuers:
  main: { issuer: x, audience: y, algorithms: [HS256], secret: file:nowhere }
routes:
  - name: a
    match: { path: chat }
    auth: { issuer: mian }
    upstream: { http: http://127.0.0.1:1, upgrades: off }
    keepalive: off
  - name: a
    match: { path: / }
    upstream: { tcp: 127.0.0.1:1 }
`;
    expect(problemsOf(text).map(({ line, column, path }) => `${line}:${column} ${path}`)).toEqual([
      '2:5 listeners[0].hots',
      '3:11 listeners[0].port',
      '5:64 issuers.main.secret',
      '8:20 routes[0].match.path',
      '9:21 routes[0].auth.issuer',
      '11:5 routes[0].keepalive',
      '12:5 routes[1].auth',
      '12:11 routes[1].name',
    ]);
  });

  test('lists the problems in the message, as editors and terminals follow them', () => {
    const text = `${sampleConfig()}\nroute: 1\ncolour: 1`;
    const error = new ConfigError('gate.yaml', problemsOf(text));
    expect(error.message).toBe(`gate.yaml has 2 problems:
  gate.yaml:11:1 route: unknown key; did you mean routes?
  gate.yaml:12:1 colour: unknown key; known here: listeners, limits, trustedProxies, log, admin, issuers, revocations, store, endpoints, workers, drain, routes`);
  });

  test('says once what is wrong with a place', () => {
    expect(problemOf(sampleConfig().replace('8080', `"\${PORT}"`))).toMatch(/the environment has no PORT$/);
  });
});

describe('YAML', () => {
  test.each([
    ['a: [1', /^1:6 : is not readable as YAML/],
    ['a: 1\na: 2', /^2:1 : is not readable as YAML: Map keys must be unique/],
    ['a: 1\na: 2', /there twice: remove one, or indent it/],
    ['a:\n - b: c\n    d: e', /^2:\d+ .*the keys of a mapping begin in the same column/],
    ['a: 1\n---\nb: 2', /^2:1 : is not readable as YAML: Source contains multiple documents/],
    ['a: *b', /^1:4 : \*b has no anchor &b before it/],
    ['a: !!binary aGVsbG8=', /^1:4 : is not readable as YAML: Unresolved tag/],
    ['? [a]\n: 1', /^1:3 : is not readable as YAML/],
    [`a: { b: \${C} }`, /^1:10 .*between \{ and \} write "\$\{NAME\}" with quotes$/],
    [
      'a: { path: /rooms/{room} }',
      /^1:19 .*a text with braces needs quotes, as in \{ path: "\/rooms\/\{room\}" \}$/,
    ],
    [`a: { path: {room}/x }`, /^1:18 .*a text with braces needs quotes, as in/],
    [`a: { tcp: {target}:5432 }`, /^1:\d+ .*a text with braces needs quotes, as in/],
    [`a: { b: ws://h/{room}, c: 1 }`, /^1:16 .*a text with braces needs quotes, as in/],
    ['a: &a [*a]', /^1:8 : \*a is a part of what it stands for$/],
    ['a: &a [&b [*a], *b]', /^1:12 : \*a is a part of what it stands for$/],
    [`a: ${'['.repeat(30)}${']'.repeat(30)}`, /^1:1 : is nested too deeply$/],
    [`${'['.repeat(5000)}`, /is not readable as YAML/],
    [`a: ${'x'.repeat(1024 * 1024)}`, /^1:1 : is longer than 1 MiB/],
  ])('%.30j is refused at its place', (text, expected) => {
    const lines = problemsOf(text).map(({ line, column, path, message, hint }) =>
      `${line}:${column} ${path}: ${message}; ${hint}`.replace('; undefined', ''),
    );
    expect(lines.find((line) => expected.test(line)) ?? lines).toMatch(expected);
    expect(lines.length).toBeLessThanOrEqual(5);
  });

  test('a brace that wanted quotes is told once, and nothing of what follows from it', () => {
    expect(problemOf('routes: [{ match: { path: /rooms/{room} }, auth: none }]')).toMatch(/needs quotes/);
  });

  test('an alias bomb is refused without being unfolded', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x,x]'];
    for (const [to, from] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf', 'hg', 'ih']) {
      bomb.push(`${to}: &${to} [*${from},*${from},*${from},*${from},*${from},*${from},*${from},*${from}]`);
    }
    expect(problemOf(bomb.join('\n'))).toBe('1:1 : repeats its aliases (*name) too often');
  });

  test('anchors may be used, and problems in them are told where they are used', () => {
    const text = `${sampleConfig().replace('auth: { issuer: main }', 'auth: &a { issuer: mian }')}
  - { name: b, match: { path: /b }, auth: *a, upstream: { websocket: ws://127.0.0.1:1 } }`;
    expect(problemsOf(text).map(({ path }) => path)).toEqual([
      'routes[0].auth.issuer',
      'routes[1].auth.issuer',
    ]);
  });

  test('an empty file lacks what must be there', () => {
    expect(problemsOf('').map(({ path, message }) => `${path} ${message}`)).toEqual([
      'listeners is missing',
      'routes is missing',
    ]);
  });

  test('keys named like parts of every object are unknown keys', () => {
    const text = `${sampleConfig()}\n__proto__: { x: 1 }\nconstructor: 1\ntoString: 1`;
    const found = problemsOf(text);
    expect(found.map(({ path }) => path)).toEqual(['__proto__', 'constructor', 'toString']);
    for (const { message, hint } of found) {
      expect(message).toBe('unknown key');
      expect(hint).toMatch(/^known here: listeners/);
    }
  });

  test('issuers named like parts of every object do not exist', () => {
    const text = sampleConfig().replace('auth: { issuer: main }', 'auth: { issuer: [main, constructor] }');
    expect(problemOf(text)).toMatch(/there is no issuer "constructor"/);
  });
});

describe('loadConfig', () => {
  async function folder(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), 'sallyport-config-'));
    onTestFinished(() => rm(path, { recursive: true }));
    return path;
  }

  test('resolves files from the folder of the configuration', async () => {
    const path = await folder();
    await writeFile(join(path, 'keys.json'), '{"keys":[]}');
    await writeFile(
      join(path, 'gate.yaml'),
      sampleConfig().replace('https://id.example.com/keys', 'keys.json'),
    );
    const { config, file } = await loadConfig(join(path, 'gate.yaml'), { env: {} });
    expect(config.issuers.main?.jwks).toBe(join(path, 'keys.json'));
    expect(file).toBe(join(path, 'gate.yaml'));
  });

  test('says that a file is not there', async () => {
    const error = await loadConfig('/nowhere/gate.yaml', { env: {} }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).message).toMatch(/there is no such file/);
  });

  test('the configuration to start from is in order', async () => {
    await expect(loadConfig('config/sallyport.yaml', { env: {} })).resolves.toMatchObject({ warnings: [] });
  });
});

describe('whatever the text', () => {
  function outcome(text: string): unknown {
    try {
      return parseConfig(text, { baseDir: '/nowhere' });
    } catch (error) {
      return error;
    }
  }
  const isFine = (result: unknown) =>
    result instanceof ConfigError || Object.hasOwn(Object(result), 'config');

  test('random characters give a configuration or a ConfigError', () => {
    const alphabet = fc.constantFrom(...'ab1 \n\t:-,[]{}&*!|>"\'%@`#?~$<.\\/\u0000é😀');
    const text = fc.oneof(fc.string({ unit: alphabet, maxLength: 200 }), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(text, (each) => {
        expect(isFine(outcome(each))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test('random data in place of any part gives a configuration or a ConfigError with every problem at a line', () => {
    const base = sampleConfig({ top: 'admin: { port: 1 }' });
    const words = base.match(/[\w.:/]+/g) as string[];
    const change = fc.record({
      index: fc.nat(words.length - 1),
      by: fc.oneof(fc.json(), fc.constantFrom(...words, '*x', '&x', `\${A}`)),
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        let at = -1;
        const text = base.replace(/[\w.:/]+/g, (word) => {
          at += 1;
          return changes.find(({ index }) => index === at)?.by ?? word;
        });
        const result = outcome(text);
        expect(isFine(result)).toBe(true);
        if (!(result instanceof ConfigError)) return;
        for (const { line, column, message } of result.problems) {
          expect(line).toBeGreaterThan(0);
          expect(column).toBeGreaterThan(0);
          expect(message).not.toMatch(/invalid input|undefined|\[object|Unrecognized/i);
        }
      }),
      { numRuns: 200 },
    );
  });
});
