import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { targetTrials } from '../../src/cli/live/targets.ts';
import { reasonOf } from '../../src/cli/live/trial.ts';
import { parseConfig } from '../../src/config/load.ts';
import { createUpstreamContext } from '../../src/upstream/context.ts';
import { Resolver } from '../../src/upstream/names/resolver.ts';
import { folderWith, sallyport } from '../support/cli.ts';
import { startIdentityProvider } from '../support/identity.ts';
import { certificate } from '../support/listener.ts';
import { portOf } from '../support/servers.ts';
import { listenAt, socketPath } from '../support/sockets.ts';
import { jwk, keySet, signingKey } from '../support/tokens.ts';

const LISTENERS = 'listeners: [{ host: 127.0.0.1, port: 8080 }]';

/** The rows that `sallyport check --live` ends with, and its exit code. */
async function live(text: string) {
  const folder = await folderWith({ 'gate.yaml': `${LISTENERS}\n${text}` });
  const { code, out, err } = await sallyport(['check', '--live', join(folder, 'gate.yaml')]);
  const [header, ...rows] = (out.split('\n\n').at(-1) ?? '').trimEnd().split('\n');
  expect(header).toMatch(/^TARGET +OF +RESULT$/);
  return { code, err, rows: rows.map((row) => row.split(/ {2,}/)) };
}

const route = (upstream: string, auth = 'none') =>
  `routes: [{ name: a, match: { path: /a }, auth: ${auth}, upstream: { ${upstream} } }]`;

async function listening(server: Server = createServer()): Promise<number> {
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  return portOf(server);
}

async function freePort(): Promise<number> {
  const server = createServer();
  const { close } = await listenAt({ port: 0, host: '127.0.0.1' }, server);
  const port = portOf(server);
  await close();
  return port;
}

const CONNECTS = expect.stringMatching(/^connects in \d+ ms$/);

describe('upstreams', () => {
  test('that listen connect, and hear not a word', async () => {
    const path = await socketPath();
    const heard: Buffer[] = [];
    const server = createServer((socket) => socket.on('data', (data) => heard.push(data)));
    await listenAt(path, server);
    const port = await listening();
    expect(
      await live(route(`http: ["http://127.0.0.1:${port}", "unix:${path}"], tcp: "localhost:${port}"`)),
    ).toEqual({
      code: 0,
      err: expect.any(String),
      rows: [
        [`localhost:${port}`, 'route a, tcp', CONNECTS],
        [`127.0.0.1:${port}`, 'route a, http', CONNECTS],
        [`unix:${path}`, 'route a, http', CONNECTS],
      ],
    });
    expect(heard).toEqual([]);
  });

  test('that do not are told apart, and end with 1', async () => {
    const [there, away, path] = [await listening(), await freePort(), await socketPath()];
    const targets = `["http://127.0.0.1:${away}", "http://127.0.0.1:${there}", "unix:${path}"]`;
    const { code, rows } = await live(route(`http: ${targets}`));
    expect(code).toBe(1);
    expect(rows.map((row) => row[2])).toEqual([
      'FAILS: nothing listens there',
      CONNECTS,
      'FAILS: there is no such socket',
    ]);
  });

  test('are believed as the route believes them', async () => {
    const { cert, key } = await certificate(await folderWith({}), ['app.internal']);
    const port = await listening(createTlsServer({ cert: await readFile(cert), key: await readFile(key) }));
    const results = async (tls: string) =>
      (await live(route(`websocket: "wss://127.0.0.1:${port}"${tls}`))).rows.map((row) => row[2]);
    expect(await results('')).toEqual([expect.stringMatching(/^FAILS: self-signed certificate/)]);
    expect(await results(`, tls: { ca: ${cert}, servername: app.internal }`)).toEqual([CONNECTS]);
  });

  test('that poll, and one of several addresses that is away', async () => {
    const port = await listening();
    const { config } = parseConfig(
      `${LISTENERS}\n${route(`poll: { target: "http://app.test:${port}", poll: { path: / } }`)}`,
    );
    const lookups = { dns: async () => ({ addresses: ['127.0.0.1', '127.0.0.2'], ttlMs: 1000 }) };
    const resolver = new Resolver({ lookups: { ...lookups, system: lookups.dns } as never });
    onTestFinished(() => resolver.close());
    const [trial] = targetTrials(config, createUpstreamContext({ resolver }));
    expect(await trial?.run(AbortSignal.timeout(3_000))).toBe(
      'connects, but not at 127.0.0.2 (nothing listens there)',
    );
  });
});

describe('key sets', () => {
  const auth = (jwks: string) => `issuers:
  main: { issuer: "https://id.example/", audience: a, algorithms: [ES256], jwks: "${jwks}" }
${route('websocket: "unix:/none"', '{ issuer: main }')}`;

  async function keysAt(answer: Parameters<typeof startIdentityProvider>[0]) {
    const provider = await startIdentityProvider(answer);
    onTestFinished(provider.close);
    const { code, rows } = await live(auth(provider.url));
    expect(rows[0]?.slice(0, 2)).toEqual([provider.url, 'issuer main']);
    expect(code).toBe(1);
    return rows[0]?.[2];
  }

  test('that are there are counted', async () => {
    const keys = [signingKey('ES256'), signingKey('ES256'), signingKey('RS256')];
    expect(await keysAt(keySet(...keys.map((key) => jwk(key))))).toBe('2 keys for ES256');
  });

  test.each([
    [
      '{"issuer":"x","jwks_uri":"https://id.example/k"}',
      /^FAILS: this is a discovery document: write discovery: true/,
    ],
    ['<html>', /^FAILS: this is a page, not JSON$/],
    ['{"keys":[]}', /^FAILS: no public key for ES256$/],
  ])('that are none are told: %s', async (text, expected) => expect(await keysAt(text)).toMatch(expected));

  test('that are not to be had are told', async () => {
    expect(await keysAt((_, response) => response.writeHead(404).end())).toMatch(/^FAILS: .* answered 404$/);
    const { code, rows } = await live(auth(`http://127.0.0.1:${await freePort()}/keys`));
    expect({ code, result: rows[0]?.[2] }).toEqual({ code: 1, result: 'FAILS: nothing listens there' });
  });

  test('are told without the query that may carry a key', async () => {
    const place = `http://127.0.0.1:${await freePort()}/keys`;
    const { rows } = await live(auth(`${place}?key=s3cr3t`));
    expect(rows[0]?.[0]).toBe(`${place}?…`);
  });
});

test('who never answers is given up', async () => {
  const error = AbortSignal.timeout(0);
  await expect.poll(() => error.aborted).toBe(true);
  expect(reasonOf(error.reason)).toBe('no answer in time');
});

test('without --live the network is not asked', async () => {
  const folder = await folderWith({ 'gate.yaml': `${LISTENERS}\n${route('http: "http://127.0.0.1:9"')}` });
  const { code, out } = await sallyport(['check', join(folder, 'gate.yaml')]);
  expect(code).toBe(0);
  expect(out).not.toContain('RESULT');
});

test('what is wrong by itself ends before the network is asked', async () => {
  const folder = await folderWith({ 'gate.yaml': 'listeners: []' });
  const { code, out } = await sallyport(['check', '--live', join(folder, 'gate.yaml')]);
  expect({ code, out }).toEqual({ code: 2, out: '' });
});
