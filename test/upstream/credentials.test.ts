import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { CredentialError } from '../../src/config/secret.ts';
import { createLogger } from '../../src/observe/log.ts';
import { type Credentials, openCredentials } from '../../src/upstream/credentials.ts';
import { WatchedFiles } from '../../src/watched-files.ts';
import { folderWith } from '../support/cli.ts';
import { grantOf, routeConfig } from '../support/handshakes.ts';
import { LogLines } from '../support/log-lines.ts';

/** The credentials of a route, its log, the files it watches, and what observers hear of them. */
function opened(credentials: object | readonly object[], auth: object = { issuer: 'main' }) {
  const files = new WatchedFiles({ everyMs: 3_600_000 });
  const log = new LogLines();
  const logger = createLogger({ destination: log });
  const outcomes: string[] = [];
  const reloads = { reloaded: (...what: string[]) => void outcomes.push(what.join(' ')) };
  onTestFinished(() => files.close());
  const route = routeConfig({ auth, upstream: { websocket: 'wss://a.example', credentials } });
  const opened = openCredentials(route, { files, logger, reloads }) as Credentials;
  return { credentials: opened, files, log, outcomes };
}

const proofOf = (credentials: Credentials, claims = {}) => credentials.proofFor(grantOf({ claims }))();

test('a route without credentials has none to open', () => {
  const deps = { files: new WatchedFiles(), logger: createLogger({ destination: new LogLines() }) };
  expect(openCredentials(routeConfig(), deps)).toBeUndefined();
});

describe('a proof', () => {
  test('says each credential in its place', () => {
    const { credentials } = opened(
      [
        { header: 'Authorization', prefix: 'Bearer ', value: 'sk-abc' },
        { header: 'x-org', value: 'acme corp' },
        { query: 'api key', prefix: 'k=', value: 'a b&c' },
        { query: 'v', value: '2' },
        { subprotocol: 'key.', value: 'abc' },
      ].filter(({ query }) => query !== 'api key'),
    );
    expect(proofOf(credentials)).toEqual({
      fields: [
        ['authorization', 'Bearer sk-abc'],
        ['x-org', 'acme corp'],
      ],
      query: 'v=2',
      protocols: ['key.abc'],
    });
  });

  test('escapes what stands in a query', () => {
    const { credentials } = opened([
      { query: 'a+b', prefix: 'k=', value: 'x y&z%' },
      { query: 'c', value: 'd' },
    ]);
    expect(proofOf(credentials).query).toBe('a%2Bb=k%3Dx%20y%26z%25&c=d');
  });

  test('is of the first entry that fits, for each place', () => {
    const { credentials } = opened([
      { header: 'x-key', when: { plan: 'pro', roles: ['voice'] }, value: 'pro-voice' },
      { header: 'X_Key', when: { plan: 'pro' }, value: 'pro-only' },
      { query: 'key', when: { '/realm/roles': { anyOf: ['a', 'b'] } }, value: 'in-query' },
      { header: 'x-key', value: 'anybody' },
    ]);
    const said = (claims: object) => {
      const { fields, query } = proofOf(credentials, claims);
      return [...fields.flat(), query].join(' ');
    };
    expect(said({})).toBe('x-key anybody ');
    expect(said({ plan: 'pro', roles: ['voice'] })).toBe('x-key pro-voice ');
    expect(said({ plan: 'pro' })).toBe('x_key pro-only ');
    expect(said({ plan: 'free', realm: { roles: ['b'] } })).toBe('x-key anybody key=in-query');
  });

  test('is empty where none fits, and for whoever has proven nothing', () => {
    const { credentials } = opened({ header: 'x-key', when: { plan: 'pro' }, value: 'pro-only' });
    const nothing = { fields: [], query: '', protocols: [] };
    expect(proofOf(credentials, { plan: 'free' })).toEqual(nothing);
    expect(credentials.proofFor(grantOf({ claims: { plan: 'pro' }, isUnproven: true }))()).toEqual(nothing);
  });

  test('is not shown by who prints what it comes from', () => {
    const { credentials } = opened({ header: 'x-key', value: 'sk-the-secret' });
    expect(inspect(credentials, { depth: 9, showHidden: true })).not.toContain('sk-the-secret');
    expect(inspect(credentials.proofFor(grantOf()), { depth: 9 })).not.toContain('sk-the-secret');
  });
});

describe('a file', () => {
  async function inFile(text: string) {
    const file = join(await folderWith({ 'a.key': text }), 'a.key');
    return { file, ...opened({ header: 'x-key', prefix: 'Key ', value: `file:${file}` }) };
  }

  test('that changes is read again, for clients that are there already, too', async () => {
    const { file, credentials, files, log, outcomes } = await inFile('sk-first\n');
    const proof = credentials.proofFor(grantOf());
    expect(proof().fields).toEqual([['x-key', 'Key sk-first']]);
    writeFileSync(file, 'sk-second\n');
    await files.renew();
    expect(proof().fields).toEqual([['x-key', 'Key sk-second']]);
    expect(log.parsed).toMatchObject([{ level: 'info', route: 'chat', file, msg: 'credential renewed' }]);
    expect(outcomes).toEqual(['credentials renewed']);
    expect(log.text).not.toMatch(/sk-/);
  });

  test.each([
    ['', 'is empty'],
    ['sk-a\nsk-b', 'is not one line of visible ASCII characters'],
    ['x'.repeat(9000), 'is larger than 8 KiB'],
  ])('that cannot be used any more leaves the old one in use: %j', async (text, fault) => {
    const { file, credentials, files, log, outcomes } = await inFile('sk-first');
    writeFileSync(file, text);
    await files.renew();
    expect(proofOf(credentials).fields).toEqual([['x-key', 'Key sk-first']]);
    const detail = `${file} ${fault}`;
    const msg = 'credential not renewed: the old one stays in use';
    expect(log.parsed).toMatchObject([{ level: 'error', route: 'chat', file, detail, msg }]);
    expect(outcomes).toEqual(['credentials refused']);
    expect(log.text).not.toMatch(/sk-|xxx/);
  });

  test('that holds the same is no news', async () => {
    const { file, files, log, outcomes } = await inFile('sk-first');
    writeFileSync(file, 'sk-first\n');
    await files.renew();
    expect([log.parsed, outcomes]).toEqual([[], []]);
  });

  test('that cannot be used at the start is an error, and nothing is watched then', async () => {
    const folder = await folderWith({ 'good.key': 'sk', 'bad.key': '' });
    const files = new WatchedFiles({ everyMs: 3_600_000 });
    onTestFinished(() => files.close());
    const log = new LogLines();
    const logger = createLogger({ destination: log });
    const credentials = ['good', 'bad'].map((name) => ({
      header: name,
      value: `file:${join(folder, `${name}.key`)}`,
    }));
    const route = routeConfig({ upstream: { websocket: 'wss://a.example', credentials } });
    const error = new CredentialError(`${join(folder, 'bad.key')} is empty`);
    expect(() => openCredentials(route, { files, logger })).toThrow(error);
    writeFileSync(join(folder, 'good.key'), 'sk-new');
    await files.renew();
    expect(log.parsed).toEqual([]);
  });

  test('is looked at no more once they are closed', async () => {
    const { file, credentials, files, log } = await inFile('sk-first');
    credentials.close();
    credentials.close();
    writeFileSync(file, 'sk-second');
    await files.renew();
    expect(log.parsed).toEqual([]);
    expect(proofOf(credentials).fields).toEqual([['x-key', 'Key sk-first']]);
  });

  test('that has changed is concealed as it is and as it was', async () => {
    const { file, credentials, files } = await inFile('sk-the-first');
    writeFileSync(file, 'sk-the-second');
    await files.renew();
    for (const secret of ['sk-the-first', 'sk-the-second'])
      expect(credentials.concealment.isIn(secret)).toBe(true);
  });
});
