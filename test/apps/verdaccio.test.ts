import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Agent, fetch } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { folderWith } from '../support/cli.ts';
import { startExample } from '../support/example.ts';
import { certificate } from '../support/listener.ts';
import { startServer } from '../support/servers.ts';

/** Verdaccio, and npm as its client: it publishes a scoped package through the gateway, looks it up, and installs it. */

const VERDACCIO = fileURLToPath(new URL('node_modules/verdaccio/bin/verdaccio', import.meta.url));
const NPM = fileURLToPath(new URL('node_modules/npm/bin/npm-cli.js', import.meta.url));
const START_MS = 60_000;

/** A registry that knows what is published to it, and nothing else; gone when the test has finished. */
async function startVerdaccio(): Promise<number> {
  const server = await startServer(
    process.execPath,
    async (folder, port) => {
      const rights = { access: '$all', publish: '$authenticated' };
      const config = {
        storage: join(folder, 'storage'),
        auth: { htpasswd: { file: join(folder, 'htpasswd'), algorithm: 'bcrypt', rounds: 4 } },
        packages: { '@*/*': rights, '**': rights },
        log: { type: 'stdout', format: 'json', level: 'warn' },
      };
      const file = join(folder, 'config.yaml');
      await writeFile(file, JSON.stringify(config));
      return { args: [VERDACCIO, '--config', file, '--listen', `127.0.0.1:${port}`] };
    },
    START_MS,
  );
  onTestFinished(() => server.close());
  return server.port;
}

/** The registry behind a gateway that shows this certificate. */
async function startRegistry() {
  const folder = await folderWith({});
  const { cert, key } = await certificate(folder, ['localhost']);
  const gateway = await startExample('verdaccio', {
    'port: 8080': `port: 0\n    tls: { certificates: [{ cert: ${cert}, key: ${key} }] }`,
    'http://127.0.0.1:4873': `http://127.0.0.1:${await startVerdaccio()}`,
  });
  return { gateway, cert, url: `https://localhost:${gateway.port}/` };
}

type Registry = Awaited<ReturnType<typeof startRegistry>>;

/** A token of the registry's own, as `npm adduser` gets one for a new user. */
async function addUser({ url, cert }: Registry, name: string): Promise<string> {
  const dispatcher = new Agent({ connect: { ca: await readFile(cert) } });
  onTestFinished(() => dispatcher.destroy());
  const answer = await fetch(`${url}-/user/org.couchdb.user:${name}`, {
    dispatcher,
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name, password: 'open sesame', type: 'user' }),
  });
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { token: string }).token;
}

/** npm for a user with this token, who has nothing of this machine's own settings. Resolves with what it prints. */
async function npmOf({ url, cert }: Registry, token: string) {
  const home = await folderWith({});
  const settings = [`registry=${url}`, `cafile=${cert}`, `${url.replace('https:', '')}:_authToken=${token}`];
  const more = [
    'fetch-retries=0',
    'audit=false',
    'fund=false',
    'update-notifier=false',
    'ignore-scripts=true',
  ];
  await writeFile(join(home, '.npmrc'), [...settings, ...more].join('\n'));
  const env = { PATH: process.env.PATH, HOME: home };
  return async function npm(cwd: string, ...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, [NPM, ...args], { cwd, env });
    return stdout.trim();
  };
}

test('npm publishes a scoped package, tags it, looks it up and installs it', async () => {
  const registry = await startRegistry();
  const npm = await npmOf(registry, await addUser(registry, 'alice'));
  const content = randomBytes(3 * 2 ** 20).toString('base64url');
  const source = await folderWith({
    'package.json': '{ "name": "@acme/greeting", "version": "1.0.0" }',
    'index.js': `module.exports = '${content}';`,
  });
  expect(await npm(source, 'whoami')).toBe('alice');
  expect(await npm(source, 'publish')).toBe('+ @acme/greeting@1.0.0');
  await npm(source, 'dist-tag', 'add', '@acme/greeting@1.0.0', 'stable');

  const target = await folderWith({ 'package.json': '{ "private": true }' });
  expect(JSON.parse(await npm(target, 'view', '@acme/greeting', '--json'))).toMatchObject({
    'dist-tags': { latest: '1.0.0', stable: '1.0.0' },
    dist: { tarball: `${registry.url}@acme/greeting/-/greeting-1.0.0.tgz` },
  });
  await npm(target, 'install', '@acme/greeting@stable');
  const installed = await readFile(join(target, 'node_modules/@acme/greeting/index.js'), 'utf8');
  expect(installed === `module.exports = '${content}';`).toBe(true);
  await registry.gateway.logged(({ path }) => `${path}`.toLowerCase() === '/@acme%2fgreeting');
});

test('who has no token of the registry’s own publishes nothing', async () => {
  const registry = await startRegistry();
  const npm = await npmOf(registry, 'made-up');
  const source = await folderWith({ 'package.json': '{ "name": "@acme/greeting", "version": "1.0.0" }' });
  await expect(npm(source, 'publish')).rejects.toThrow(/E401/);
  await expect(npm(source, 'view', '@acme/greeting')).rejects.toThrow(/E404/);
});
