import { join } from 'node:path';
import { expect, test } from 'vitest';
import { folderWith, sallyport } from '../support/cli.ts';
import { sampleConfig } from '../support/config.ts';

const FEW =
  'upgrades 10/m per address, connections 5 per address, messages 50/s per connection, bytes 1MiB/s per route, messages up to 64KiB, messages of up to 99 fragments';

test('prints what a configuration comes to, in columns', async () => {
  const folder = await folderWith({
    'gate.yaml': sampleConfig({
      top: 'admin: { host: "::1", port: 9090 }',
      route: `    limits: &few
      upgrades: { rate: 10/m, per: address }
      connections: { max: 5, per: address }
      messages: { rate: 50/s, per: connection }
      bytes: { rate: 1MiB/s, per: route }
      messageSize: 64KiB
      fragments: 99
  - { name: vnc, match: { host: v.example, path: /vnc }, auth: { issuer: main, token: [query:t] }, upstream: { tcp: ["[::1]:5900", b:1, unix:/vnc] } }
  - { name: app, match: { path: /app/* }, auth: none, limits: *few, upstream: { http: "http://127.0.0.1:2", websocket: ws://127.0.0.1:3 } }
  - { name: site, match: { path: /* }, auth: none, upstream: { http: "http://127.0.0.1:1", upgrades: off } }
  - { name: rest, match: { path: /* }, auth: none, upstream: { http: "http://127.0.0.1:1" } }`,
    }),
  });
  const { code, out, err } = await sallyport(['check', join(folder, 'gate.yaml')]);
  expect(code).toBe(0);
  expect(out).toBe(`LISTENER   ADDRESS
http, ws   127.0.0.1:8080
admin      [::1]:9090
endpoints  /.sallyport/refresh

LIMIT        VALUE
connections  auto, from the limit of open files

MATCH          TAKES               ROUTE  UPSTREAM                        AUTH             LIMITS
/chat          upgrades            chat   websocket ws://127.0.0.1:3000   main by header   ${FEW}
v.example/vnc  upgrades            vnc    tcp [::1]:5900, b:1, unix:/vnc  main by query:t  none
/app/*         upgrades            app    websocket ws://127.0.0.1:3      none             ${FEW}
/app/*         requests            app    http http://127.0.0.1:2         none             upgrades 10/m per address
/*             requests            site   http http://127.0.0.1:1         none             none
/*             upgrades, requests  rest   http http://127.0.0.1:1         none             none
`);
  expect(err.split('\n')).toEqual([
    expect.stringMatching(
      /^warning: \S+gate.yaml:7:\d+ routes\[0\].match: plain requests for \/chat fall past/,
    ),
    expect.stringMatching(
      /^warning: \S+gate.yaml:7:\d+ routes\[0\].match: requests for \/chat in another case and \/chat\/ go to rest,/,
    ),
    expect.stringMatching(
      /^warning: \S+gate.yaml:17:\d+ routes\[1\].match: plain requests for v.example\/vnc fall/,
    ),
    expect.stringMatching(
      /^warning: \S+gate.yaml:17:\d+ routes\[1\].auth.token\[0\]: tokens in URLs .*; prefer subprotocol$/,
    ),
    '',
  ]);
});

test('shows which paths match in any case, and which go on without their prefix', async () => {
  const folder = await folderWith({
    'gate.yaml': sampleConfig({
      route: `  - { name: app, match: { path: /App/*, ignoreCase: true }, auth: none, upstream: { http: ["http://a", "http://b"], stripPrefix: /app, balance: round-robin, tcp: c:1 } }`,
    }),
  });
  const { out } = await sallyport(['check', join(folder, 'gate.yaml')]);
  const row = (line: string) => line.split(/ {2,}/).slice(0, 4);
  expect(out.trimEnd().split('\n').slice(-2).map(row)).toEqual([
    ['/App/* in any case', 'upgrades', 'app', 'tcp c:1 by round-robin'],
    ['/App/* in any case', 'requests', 'app', 'http http://a, http://b without /app by round-robin'],
  ]);
});

test('shows how clients name TCP targets, and no name that may be a secret', async () => {
  const routes = [
    [
      '/{h}:{p}',
      'tcp: "{path.h}:{path.p}", allow: [a:1, { host: "b:2", resolvesTo: [10.0.0.0/8, "fd00::/8"] }], allowClaim: may',
    ],
    [
      '/{name}',
      'tcp: "{path.name}", targets: { a: h:1, b: "[::1]:2", c: unix:/run/x.sock, d: h:4, e: h:5, f: h:6 }',
    ],
    ['/t', 'tcp: "{query.token}", targets: { s3cret: h:1 }'],
    ['/f', 'tcp: "{query.token}", targets: "file:desks.txt"'],
  ].map(
    ([path, upstream], at) =>
      `  - { name: r${at}, match: { path: "${path}" }, auth: { issuer: main }, upstream: { ${upstream} } }`,
  );
  const folder = await folderWith({
    'gate.yaml': sampleConfig({ route: routes.join('\n') }),
    'desks.txt': 'a: h:1\n',
  });
  const { out } = await sallyport(['check', join(folder, 'gate.yaml')]);
  expect(
    out
      .trimEnd()
      .split('\n')
      .slice(-4)
      .map((line) => line.split(/ {2,}/)[3]),
  ).toEqual([
    'tcp {path.h}:{path.p} where allowed: a:1, b:2 in 10.0.0.0/8 or fd00::/8 and by claim may',
    'tcp {path.name} in a (h:1), b ([::1]:2), c (unix:/run/x.sock), d (h:4), e (h:5) and 1 more',
    'tcp {query.token} in h:1',
    `tcp {query.token} in ${join(folder, 'desks.txt')}`,
  ]);
});

test('shows where limits are shared, and what becomes of them meanwhile', async () => {
  const folder = await folderWith({
    'gate.yaml': sampleConfig({
      top: 'store: { redis: redis://127.0.0.1:6379/2, prefix: chat, onFailure: refuse }',
    }),
  });
  const { out } = await sallyport(['check', join(folder, 'gate.yaml')]);
  expect(out).toContain(
    '\nshared in    redis://127.0.0.1:6379/2 under chat; while that is away clients are refused\n',
  );
});

test('shows every limit of a list, and of requests those that do not hold anyway', async () => {
  const folder = await folderWith({
    'gate.yaml': sampleConfig({
      top: 'limits: { ipv6Prefix: 56 }',
      route: `    origins: [https://app.example.com]
    limits:
      upgrades: [{ rate: 5/s, per: address }, { rate: 100/s, per: origin }]
      connections: [{ max: 5, per: "claim:tenant" }, { max: 2, per: subject }]
      messages: [{ rate: 50/s, per: connection }, { rate: 1000/s, per: route }]
      bytes: [{ rate: 1MiB/s, per: subject }]
      requests: [{ max: 1024, perClient: 16 }, { max: 8, per: subject }]`,
    }).replace('websocket: ws://127.0.0.1:3000', 'http: http://127.0.0.1:3000'),
  });
  const { out } = await sallyport(['check', join(folder, 'gate.yaml')]);
  expect(out).toContain('\nipv6Prefix   56\n');
  expect(out.trimEnd().split(/ {2,}/).at(-1)).toBe(
    'upgrades 5/s per address, upgrades 100/s per origin, requests 16 per address, requests 8 per subject, connections 5 per claim:tenant, connections 2 per subject, messages 50/s per connection, messages 1000/s per route, bytes 1MiB/s per subject',
  );
});

test('prints every problem on stderr and ends with 2', async () => {
  const folder = await folderWith({ 'gate.yaml': `${sampleConfig()}\nlimts: 1\nstore: 1` });
  const { code, out, err } = await sallyport(['check', join(folder, 'gate.yaml')]);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err.split('\n')).toHaveLength(4);
});

test('says how many connections there may be', async () => {
  const folder = await folderWith({
    'gate.yaml': sampleConfig({ top: 'limits: { connections: 500 }' }),
  });
  const { out } = await sallyport(['check', join(folder, 'gate.yaml')]);
  expect(out).toContain('\nconnections  500\n');
});

test('reads variables from the environment', async () => {
  const folder = await folderWith({ 'gate.yaml': sampleConfig().replace('8080', `"\${PORT}"`) });
  const { out } = await sallyport(['check', join(folder, 'gate.yaml')], { PORT: '4711' });
  expect(out).toContain('127.0.0.1:4711');
});

test('shows every proof that a route asks for', async () => {
  const route = (name: string, auth: string) =>
    `  - { name: ${name}, match: { path: /${name} }, origins: [https://a.example], auth: { ${auth} }, upstream: { websocket: ws://b:1 } }`;
  const folder = await folderWith({
    'keys.yaml': '',
    'gate.yaml': sampleConfig({
      route: [
        route('keys', 'keys: file:keys.yaml, token: [header, "header:x-api-key"]'),
        route('both', 'keys: file:keys.yaml, issuer: main'),
        route('asked', 'external: { url: "http://127.0.0.1:4180/auth" }'),
        route('all', 'issuer: main, external: { url: "http://127.0.0.1:4180/auth" }'),
      ].join('\n'),
    }),
  });
  const { code, out } = await sallyport(['check', join(folder, 'gate.yaml')]);
  expect(code).toBe(0);
  const rows = out.split('\n').filter((line) => line.includes('ws://b:1'));
  expect(rows.map((line) => line.split(/ {2,}/)[4])).toEqual([
    'API keys by header, header:x-api-key',
    'main, API keys by header',
    'asks http://127.0.0.1:4180/auth',
    'main by header and asks http://127.0.0.1:4180/auth',
  ]);
});

test('shows nothing of queries, which may carry keys, but that they are there', async () => {
  const route = (name: string, more = '') =>
    `  - { name: ${name}, match: { path: /${name} }, auth: { external: { url: "http://127.0.0.1:4180/auth?key=s3cr3t", forward: [accept] } }, upstream: { websocket: "ws://b.example:1/a?key=s3cr3t"${more} } }`;
  const lent = `, credentials: { header: authorization, value: "\${TOKEN}" }`;
  const folder = await folderWith({
    'gate.yaml': sampleConfig({ route: [route('asked'), route('lent', lent)].join('\n') }),
  });
  const { code, out, err } = await sallyport(['check', join(folder, 'gate.yaml')], { TOKEN: 'Bearer x' });
  expect(code).toBe(0);
  expect(out).toContain('ws://b.example:1/a?…  asks http://127.0.0.1:4180/auth?…  none');
  expect(err).toContain('go to ws://b.example:1/a?… in plain text');
  expect(out + err).not.toContain('s3cr3t');
});
