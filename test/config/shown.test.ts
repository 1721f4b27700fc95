import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig, parseConfig, parseTree } from '../../src/config/load.ts';
import { topKeys, withInner } from '../../src/config/reference/keys.ts';
import { type ConfigInput, schema } from '../../src/config/schema.ts';
import { isSecretPlace } from '../../src/config/secret-places.ts';
import { shownConfig } from '../../src/config/shown.ts';
import { sampleConfig } from '../support/config.ts';

/** What is shown of a configuration that runs. */

const folder = mkdtempSync(join(tmpdir(), 'sallyport-shown-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Examples that ask for no file and no variable. */
const COMPLETE = globSync('config/examples/*.yaml').filter(
  (file) => !/\$\{|file:|\.(crt|key|pem)\b/.test(readFileSync(file, 'utf8')),
);

/** One of each thing that nobody is to see: `how` says where it comes from. */
function secretive(how: (name: string) => string): string {
  return `listeners: [{ host: 127.0.0.1, port: 8080 }]
admin:
  port: 9090
  secret: ${how('admin')}
  aws: { accessKeyId: AKIAIOSFODNN7EXAMPLE, secretAccessKey: ${how('aws')} }
store: { redis: "redis://127.0.0.1:6379", password: ${how('store')} }
issuers: { main: { issuer: "https://id.example.com/", audience: app, algorithms: [HS256], secret: ${how('issuer')} } }
routes:
  - name: credentials
    match: { path: /credentials }
    auth: { issuer: main }
    upstream: { websocket: "ws://127.0.0.1:1", credentials: [{ header: x-key, value: ${how('header')} }, { query: key, value: ${how('query')} }] }
  - name: credential
    match: { path: /credential }
    auth: { issuer: main }
    upstream: { websocket: "ws://127.0.0.1:1", credentials: { header: x-key, value: ${how('single')} } }
  - name: grip
    match: { path: /grip }
    auth: { issuer: main }
    upstream: { poll: { profile: websocket-over-http, target: "http://127.0.0.1:1", grip: { secret: ${how('grip')} } } }
  - name: events
    match: { path: /events }
    auth: { issuer: main }
    upstream: { post: { profile: cloudevents, target: "http://127.0.0.1:1", hub: chat, secret: [${how('first')}, ${how('second')}] } }
`;
}

const NAMES = ['admin', 'aws', 'store', 'issuer', 'header', 'query', 'single', 'grip', 'first', 'second'];
const secretOf = (name: string) => `MARK-${name}-${'0123456789abcdef'.repeat(3)}`;
const env = Object.fromEntries(NAMES.map((name) => [name.toUpperCase(), secretOf(name)]));

function textOf(text: string): string {
  const { config } = parseConfig(text, { env, baseDir: folder });
  return JSON.stringify(shownConfig(config));
}

describe('what is secret is shown to nobody', () => {
  test('whether it stands in the configuration itself', () => {
    const text = textOf(secretive(secretOf));
    expect(text).not.toContain('MARK');
    expect(text).toContain('"secret":["***","***"]');
  });

  test('comes from the environment, which is named', () => {
    const text = textOf(secretive((name) => `"\${${name.toUpperCase()}}"`));
    expect(text).not.toContain('MARK');
    for (const name of NAMES) expect(text).toContain(`\${${name.toUpperCase()}}`);
  });

  test('or from a file, which is named', () => {
    for (const name of NAMES) writeFileSync(join(folder, `${name}.secret`), `${secretOf(name)}\n`);
    const text = textOf(secretive((name) => (name === 'grip' ? secretOf(name) : `file:${name}.secret`)));
    expect(text).not.toContain('MARK');
    expect(text).toContain('file:admin.secret');
  });

  test('or from a program', () => {
    const auth = { issuer: 'main' };
    const credentials = { header: 'x-key', value: secretOf('single') };
    const tree: ConfigInput = {
      listeners: [],
      admin: { port: 0, secret: secretOf('admin') },
      issuers: {
        main: { issuer: 'https://a.test/', audience: 'a', algorithms: ['HS256'], secret: secretOf('issuer') },
      },
      routes: [
        { name: 'a', match: { path: '/' }, auth, upstream: { websocket: 'ws://127.0.0.1:1', credentials } },
      ],
    };
    expect(JSON.stringify(shownConfig(parseTree(tree).config))).not.toContain('MARK');
  });

  test('and every key that is said to be a secret is known as one', () => {
    const said = withInner(topKeys())
      .filter(({ meaning = '' }) => /never the text itself|^The secret: /.test(meaning))
      .map(({ path }) => path);
    expect(said.length).toBeGreaterThan(6);
    // A list leaves no trace in the path of a key.
    const place = (path: readonly string[]) =>
      path.flatMap((name) => (name === 'routes' ? [name, 0] : [name]));
    expect(said.filter((path) => !isSecretPlace(place(path)))).toEqual([]);
  });

  test('wherever else it came from the environment', () => {
    const text = sampleConfig({
      route: `  - { name: bot, match: { path: /bot }, auth: none, upstream: { poll: { target: "http://127.0.0.1:1", poll: { path: "/bot\${ADMIN}/updates" } } } }`,
    });
    const shown = textOf(text);
    expect(shown).not.toContain('MARK');
    expect(shown).toContain(`/bot\${ADMIN}/updates`);
  });

  test('in names of targets that come in a query', () => {
    const targets = (by: string) =>
      textOf(
        sampleConfig({
          route: `  - { name: t, match: { path: "/t/{desk}" }, auth: none, upstream: { tcp: "${by}", targets: { MARK-1: "127.0.0.1:5901", MARK-2: "127.0.0.1:5902" } } }`,
        }),
      );
    expect(targets('{query.token}')).toContain('"targets":{"***1":"127.0.0.1:5901","***2":"127.0.0.1:5902"}');
    expect(targets('{query.token}')).not.toContain('MARK');
    expect(targets('{path.desk}')).toContain('MARK-1');
  });

  test('in the query of an address, and in what services are told', () => {
    const text = textOf(
      sampleConfig({
        route: `  - name: told
    match: { path: /told }
    auth: none
    upstream:
      headers: { set: { x-key: MARK-1 }, remove: [x-removed] }
      poll:
        target: "http://127.0.0.1:1"
        headers: { pass: [cookie], add: { x-more: MARK-2 } }
        poll: { path: "/updates?key=MARK-3&MARK-4&since={cursor}", headers: { pass: MARK-5 } }
        cursor: { from: "json:/next", send: "query:at" }
        send: { path: "/send", body: '{"key":"MARK-6","text":"{message}"}' }
  - { name: ws, match: { path: /ws }, auth: none, upstream: { websocket: "ws://127.0.0.1:1/a?key=MARK-7" } }
`,
      }),
    );
    expect(text).not.toContain('MARK');
    expect(text).toContain('/updates?key=***&***&since={cursor}');
    expect(text).toContain('x-removed');
    expect(text).toContain('"pass":["cookie"]');
    expect(text).toContain('ws://127.0.0.1:1/a?key=***');
  });
});

describe('the rest is shown in the language it is written in', () => {
  const shown = (text: string, env = {}) => shownConfig(parseConfig(text, { env, baseDir: folder }).config);

  test('with defaults filled in', () => {
    expect(shown(sampleConfig())).toMatchObject({
      drain: '10s',
      limits: { connections: 'auto' },
      log: { level: 'info' },
      issuers: { main: { clockTolerance: '5s' } },
      routes: [
        {
          auth: { token: ['header'], onExpiry: 'close' },
          timeouts: { handshake: '10s', close: '5s' },
          keepalive: { every: '30s', within: '10s' },
          upstream: { websocket: 'ws://127.0.0.1:3000' },
        },
      ],
    });
  });

  test('amounts and numbers of the environment as they are', () => {
    const text = sampleConfig({ top: `drain: "\${DRAIN}"\nadmin: { port: "\${PORT}" }` });
    expect(shown(text, { DRAIN: '3s', PORT: '9191' })).toMatchObject({ drain: '3s', admin: { port: 9191 } });
  });

  test.each(COMPLETE)('so that %s means the same when it is read again', async (file) => {
    const { config } = await loadConfig(file, { env: {} });
    const text = shownConfig(config);
    // What is hidden cannot be read again.
    if (/\*\*\*|\$\{|"file:/.test(JSON.stringify(text))) return;
    expect(schema.parse(text)).toEqual(config);
  });
});
