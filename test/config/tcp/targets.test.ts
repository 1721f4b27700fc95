import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import type { RouteConfig } from '../../../src/config/schema.ts';
import { problemOf, sampleConfig, warningsOf } from '../../support/config.ts';

interface Rest {
  readonly match?: string;
  readonly auth?: string;
}

function withUpstream(upstream: string, { match, auth }: Rest = {}): string {
  const place = match ?? '{ host: "*.x.example", path: "/to/{host}:{port}" }';
  return sampleConfig({
    route: `  - { name: b, match: ${place}, auth: ${auth ?? '{ issuer: main }'}, upstream: { ${upstream} } }`,
  });
}

function upstreamOf(upstream: string, rest?: Rest, baseDir?: string): RouteConfig['upstream'] {
  const { config } = parseConfig(withUpstream(upstream, rest), { env: {}, ...(baseDir && { baseDir }) });
  return (config.routes[1] as RouteConfig).upstream;
}

const problem = (upstream: string, rest?: Rest) => problemOf(withUpstream(upstream, rest));

const FREE = 'tcp: "{path.host}:{path.port}"';
const TABLE = 'targets: { a: b:1 }';

describe('a target that clients name', () => {
  test.each([
    `${FREE}, allow: "*.db.internal:5432"`,
    `tcp: "{query.address}", allow: [a:1, "b:*"]`,
    `tcp: "{claims.target}", ${TABLE}`,
    `tcp: "{claims./app/target}", ${TABLE}`,
    `tcp: "{host.label}", ${TABLE}`,
    `tcp: "{path.host}.db.internal:5432", allow: "*.db.internal:5432"`,
    `${FREE}, allow: a:1, allowClaim: targets`,
    `${FREE}, allow: a:1, resolver: system`,
    `${FREE}, allow: a:1, http: [http://10.0.0.1, http://10.0.0.2], balance: round-robin, health: {}`,
  ])('may be %s', (upstream) => {
    expect(upstreamOf(upstream).tcp).toEqual({ template: expect.stringContaining('{') });
  });

  test.each([
    [
      FREE,
      'tcp: lets clients name a target: add targets, a table of those there are, or allow, rules for host:port',
    ],
    [
      'tcp: a:1, allow: a:1',
      'allow: has no effect: tcp is fixed; clients name targets by a text like "{path.host}',
    ],
    [`tcp: a:1, ${TABLE}`, 'targets: has no effect: tcp is fixed'],
    ['tcp: a:1, allowClaim: x', 'allowClaim: has no effect: tcp is fixed'],
    ['websocket: ws://a, allow: a:1', 'allow: has no effect without tcp; remove it'],
    [`websocket: ws://a, ${TABLE}`, 'targets: has no effect without tcp; remove it'],
    [
      `${FREE}, allow: a:1, ${TABLE}`,
      'allow: does not go with targets, whose entries are allowed as they stand',
    ],
    [
      `tcp: "{claims.x}", ${TABLE}, allowClaim: x`,
      'allowClaim: has no effect without allow, which it narrows',
    ],
    [
      'tcp: "{path.host}.x", allow: a:1',
      'tcp: names no port: a target is host:port, as in "{path.host}.x:5432"',
    ],
    [`tcp: "{path.x}", ${TABLE}`, 'tcp: nothing fills {path.x}: match.path has no {x}'],
    [
      'tcp: "{target}:5432"',
      'tcp: nothing fills {target} here: a target is fixed, or named by {path.NAME}, {query.',
    ],
    ['tcp: "db{1..3}.x:1"', 'tcp: nothing fills {1..3} here: a target is fixed, or named by'],
    [`tcp: "{query.x|y}", ${TABLE}`, 'tcp: nothing fills {query.x|y} here'],
    [`tcp: "{host.name}", ${TABLE}`, 'tcp: nothing fills {host.name} here'],
    [`tcp: "{path.host", ${TABLE}`, 'tcp: a { or } stands alone'],
    [`tcp: ["{path.host}", a:1], ${TABLE}`, 'tcp[0]: a target that clients name stands alone'],
    [`${FREE}, allow: a:1, balance: round-robin`, 'balance: has no effect: clients name the target'],
    [`${FREE}, allow: a:1, health: {}`, 'health: has no effect: clients name the target'],
    [
      `tcp: { address: "{path.host}:1", weight: 2 }, allow: a:1`,
      'tcp.address: the host of a target is fixed',
    ],
    ['tcp: "unix:/run/{path.host}.sock"', 'tcp: the path of a socket is fixed'],
  ])('is refused where it has no sense: %s', (upstream, message) => {
    expect(problem(upstream)).toContain(`upstream.${message}`);
  });

  test.each([
    [
      `tcp: "{claims.x}", ${TABLE}`,
      { auth: 'none' },
      'nothing fills {claims.x}: there are no claims on a route with auth: none',
    ],
    [
      `tcp: "{query.t}", ${TABLE}`,
      { auth: '{ issuer: main, token: [query:t] }' },
      'nothing fills {query.t}: ?t= is where the token stands',
    ],
    [
      `tcp: "{host.label}", ${TABLE}`,
      { match: '{ path: / }' },
      'nothing fills {host.label}: match.host has no *, as in *.db.example.com',
    ],
  ])('is refused where nothing fills it: %s with %j', (upstream, rest, message) => {
    expect(problem(upstream, rest)).toContain(`upstream.tcp: ${message}`);
  });

  test('cannot be narrowed down by a claim where there are none', () => {
    expect(problem(`${FREE}, allow: a:1, allowClaim: x`, { auth: 'none' })).toContain(
      'upstream.allowClaim: lets nobody in: there are no claims on a route with auth: none',
    );
  });
});

describe('where a service listens', () => {
  test.each([
    ['10.0.0.1', 'a port is missing behind it, as in :5900'],
    ['db', 'a port is missing behind it, as in :5900'],
    ['tcp://db:1', 'write host:port alone, with nothing like tcp:// in front of it'],
    ['2001:db8::1:22', 'an IPv6 address stands in brackets, as in [2001:db8::1]:5432'],
  ])('is not %s, and what is wrong with it is said', (text, hint) => {
    const told = `: "${text}" is not host:port, like 10.0.0.9:5900, or unix:/run/app.sock; ${hint}`;
    expect(problem(`tcp: "${text}"`)).toContain(`upstream.tcp${told}`);
    expect(problem(`tcp: "{query.t}", targets: { a: "${text}" }`)).toContain(`upstream.targets.a${told}`);
  });

  test('needs quotes where it has braces, for YAML takes it for a mapping', () => {
    expect(problem(`tcp: {query.address}, ${TABLE}`)).toMatch(
      /upstream\.tcp: a mapping is not host:port.*; a text with braces needs quotes$/,
    );
  });
});

describe('a rule of allow', () => {
  test.each([
    [
      '*.db.internal:5432',
      { kind: 'host', labels: ['*', 'db', 'internal'], ports: { from: 5432, to: 5432 } },
    ],
    [
      'Bücher.Example.:*',
      { kind: 'host', labels: ['xn--bcher-kva', 'example'], ports: { from: 1, to: 65_535 } },
    ],
    ['10.example:1-2', { kind: 'host', labels: ['10', 'example'], ports: { from: 1, to: 2 } }],
    ['10.0.0.0/8:22', { kind: 'address', ports: { from: 22, to: 22 } }],
    ['10.0.0.7:22', { kind: 'address' }],
    ['[2001:db8::]/32:22', { kind: 'address' }],
    ['[::1]:22', { kind: 'address' }],
  ])('may be %s', (text, rule) => {
    expect(upstreamOf(`${FREE}, allow: "${text}"`).allow).toMatchObject([{ text, ...rule }]);
  });

  test('may say where names lead to', () => {
    const { allow } = upstreamOf(`${FREE}, allow: { host: "a:1", resolvesTo: [10.0.0.0/8, "::1"] }`);
    expect(allow?.[0]).toMatchObject({
      labels: ['a'],
      resolvesTo: [
        [{}, 8],
        [{}, 128],
      ],
    });
    const [one] = upstreamOf(`${FREE}, allow: { host: "a:1", resolvesTo: 10.0.0.0/8 }`).allow ?? [];
    expect(one).toMatchObject({ resolvesTo: [[{}, 8]] });
  });

  test.each([
    'a',
    'a:',
    ':1',
    'a:0',
    'a:65536',
    'a:2-1',
    'a:1-',
    'a:x',
    'a:01',
    '10.0.0.*:22',
    'a.*:1',
    '*a.x:1',
    '10.1:22',
    '0x7f.1:22',
    '10.0.0.0/33:22',
    '[::]/129:22',
    '::1:22',
    '[10.0.0.1]:22',
    'a/8:1',
    'a b:1',
    'a@b:1',
    'a.b.1:1',
    '-a:1',
    'a..b:1',
  ])('is not %s', (text) => {
    expect(problem(`${FREE}, allow: ["${text}"]`)).toContain(
      `upstream.allow[0]: "${text}" is not a rule like *.db.internal:5432, 10.0.0.0/8:1024-65535`,
    );
  });

  test.each([
    ['a', 'a port is missing behind it, as in :443, :1024-65535, or :* for any'],
    ['10.0.0.0/8', 'a port is missing behind it, as in :443, :1024-65535, or :* for any'],
    ['a:2-1', 'its range of ports ends below where it begins'],
    ['a:65536', 'ports are 1 to 65535: one of them, a range like 1024-65535, or * for any'],
    ['10.0.0.0/33:22', 'a block of IPv4 has 0 to 32 bits'],
    ['[::]/129:22', 'a block of IPv6 has 0 to 128 bits'],
    ['2001:db8::/32:22', 'IPv6 stands in brackets, as in [2001:db8::]/32:22'],
    ['db*.x:1', '* stands for one whole label, as in *.db.internal'],
    ['a.*:1', '* cannot be the last label'],
  ])('that is %s is told what is wrong with it', (text, hint) => {
    expect(problem(`${FREE}, allow: "${text}"`)).toContain(`or host:*; ${hint}`);
  });

  test('that says where names lead to is one of names', () => {
    expect(problem(`${FREE}, allow: { host: "10.0.0.0/8:1", resolvesTo: 10.0.0.0/8 }`)).toContain(
      'upstream.allow.host: "10.0.0.0/8:1" is not a rule of names like *.db.internal:5432',
    );
    expect(problem(`${FREE}, allow: { host: "a:1" }`)).toContain('upstream.allow.resolvesTo: is missing');
  });

  test.each([
    ['0.0.0.0/0:22', '0.0.0.0/0 opens public addresses only: 10.0.0.0/8 and the like'],
    ['10.0.0.0/7:22', '10.0.0.0/7 opens public addresses only: 10.0.0.0/8 and the like'],
    ['[::]/0:22', '::/0 opens public addresses only: ::1/128 and the like'],
  ])('that seems to open more than it does is warned of: %s', (text, message) => {
    const [warning] = warningsOf(withUpstream(`${FREE}, allow: ["${text}"]`));
    expect(warning).toContain(`upstream.allow[0]: ${message}`);
  });

  test.each([
    ['localhost:22', '127.0.0.0/8'],
    ['*.db.internal:22', '10.0.0.0/8'],
    ['nas:22', '10.0.0.0/8'],
  ])(
    'of names that are private ones is warned of where it does not say where they lead: %s',
    (text, block) => {
      expect(warningsOf(withUpstream(`${FREE}, allow: "${text}"`))[0]).toContain(
        `upstream.allow[0]: opens names that lead to public addresses only, and such a name leads to a private one`,
      );
      const placed = `{ host: "${text}", resolvesTo: ${block} }`;
      expect(warningsOf(withUpstream(`${FREE}, allow: ${placed}`))).toEqual([]);
    },
  );

  test.each([
    '*:443',
    'internal.example:22',
    '10.0.0.0/8:22',
    '10.1.0.0/16:22',
    '93.184.0.0/16:22',
    '[fc00::]/7:22',
    '[fe80::1]:22',
    '[2001::]/23:1',
    '192.0.0.0/24:1',
  ])('that opens what it names is not: %s', (text) => {
    expect(warningsOf(withUpstream(`${FREE}, allow: "${text}"`))).toEqual([]);
  });
});

describe('a table of targets', () => {
  test('has names of any form, and its sockets start from the file', () => {
    const table = '{ "ep-1.neon.tech:5432": 10.0.0.1:5432, b: unix:run/x.sock, "c d": "[::1]:1" }';
    expect(upstreamOf(`tcp: "{query.t}", targets: ${table}`, {}, '/etc/x').targets).toEqual({
      entries: {
        'ep-1.neon.tech:5432': { host: '10.0.0.1', port: 5432 },
        b: { socketPath: '/etc/x/run/x.sock' },
        'c d': { host: '::1', port: 1 },
      },
    });
  });

  test.each([
    ['{}', ': must not be empty: whoever comes would be refused'],
    ['{ a: nonsense }', '.a: "nonsense" is not host:port'],
    ['{ a: "{x}:1" }', '.a: the host of a target is fixed'],
    ['nonsense', ': "nonsense" is not file:PATH'],
    ['file:nowhere', ': cannot read /'],
  ])('%s is refused', (table, message) => {
    expect(problem(`tcp: "{query.t}", targets: ${table}`)).toContain(`upstream.targets${message}`);
  });

  test('may be a file, or a folder', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-targets-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'a'), 'a: b:1\n');
    const named = (file: string) =>
      upstreamOf(`tcp: "{query.t}", targets: "file:${file}"`, {}, folder).targets;
    expect(named('a')).toEqual({ file: join(folder, 'a') });
    expect(named('.')).toEqual({ file: folder });
  });

  test('is not named without file:', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-targets-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'a'), 'a: b:1\n');
    const text = withUpstream('tcp: "{query.t}", targets: a');
    expect(problemOf(text, {}, folder)).toContain(
      'upstream.targets: is the name of a file; did you mean file:a?',
    );
  });
});
