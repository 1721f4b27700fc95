import { spawn } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect, onTestFinished, test } from 'vitest';
import { forwarded, running, stage } from '../support/forwarded.ts';
import { freshToken } from '../support/fresh.ts';
import { eventually, within } from '../support/patience.ts';
import { scratch, startGitDaemon, startRsync, startSort, startSshd } from '../support/plain-services.ts';
import { curl, run } from '../support/programs.ts';
import { startCuttingRelay } from '../support/relays.ts';
import { portOf, programPath, startRedis } from '../support/servers.ts';
import { listenAt } from '../support/sockets.ts';

/** Programs from Debian through `sallyport forward`, `stdio` and `socks`: TLS, and a token, on all. */

/** Each of them takes a while to start on a busy machine. */
const SETTLE_MS = 15_000;

test('redis-cli asks, and loads ten thousand commands', async () => {
  const redis = await startRedis();
  onTestFinished(() => redis.close());
  const port = await forwarded(redis.port);
  const cli = (args: readonly string[], input = '') =>
    run(['redis-cli', 'redis-tools'], ['-p', `${port}`, ...args], input);
  expect((await cli(['PING'])).output).toBe('PONG\n');
  const script = Array.from({ length: 10_000 }, (_, index) => `SET key:${index} ${index}\r\n`).join('');
  expect((await cli(['--pipe'], script)).output).toContain('errors: 0, replies: 10000');
  expect((await cli(['GET', 'key:9999'])).output).toBe('9999\n');
});

test('git clones a repository', async () => {
  const folder = await scratch();
  const git = async (...args: string[]) => {
    const who = ['-c', 'user.name=a', '-c', 'user.email=a@test', '-c', 'safe.directory=*'];
    const ran = await run(['git', 'git'], [...who, ...args]);
    expect(ran, ran.errors).toMatchObject({ code: 0 });
    return ran.output;
  };
  const source = join(folder, 'source');
  await git('init', '-q', source);
  await writeFile(join(source, 'big'), randomFillSync(Buffer.alloc(4 * 1024 * 1024)));
  await git('-C', source, 'add', '.');
  await git('-C', source, 'commit', '-qm', 'one');
  const port = await forwarded(await startGitDaemon(folder));
  await git('clone', '-q', `git://127.0.0.1:${port}/source`, join(folder, 'copy'));
  expect(await hashOf(join(folder, 'copy/big'))).toBe(await hashOf(join(source, 'big')));
});

test('rsync fetches a folder', async () => {
  const folder = await scratch();
  const source = join(folder, 'source');
  await mkdir(source);
  for (const name of ['a', 'b']) await writeFile(join(source, name), randomFillSync(Buffer.alloc(2 ** 21)));
  const port = await forwarded(await startRsync(source));
  const ran = await run(['rsync', 'rsync'], ['-a', `rsync://127.0.0.1:${port}/files/`, join(folder, 'copy')]);
  expect(ran, ran.errors).toMatchObject({ code: 0 });
  for (const name of ['a', 'b'])
    expect(await hashOf(join(folder, 'copy', name))).toBe(await hashOf(join(source, name)));
});

test('nc -N has its lines sorted once it has finished', async () => {
  const port = await forwarded(await startSort());
  const ran = await run(['nc', 'netcat-openbsd'], ['-N', '127.0.0.1', `${port}`], 'b\na\n');
  expect(ran).toEqual({ code: 0, output: 'a\nb\n', errors: '' });
});

test('curl finds by SOCKS what only the gateway may reach, and hears of what it may not', async () => {
  const web = createServer((request, response) => response.end(`hello ${request.url}\n`));
  await listenAt({ port: 0, host: '127.0.0.1' }, web);
  const allow = `allow: { host: "localhost:${portOf(web)}", resolvesTo: 127.0.0.0/8 }`;
  const there = await stage('/to/{host}:{port}', `tcp: "{path.host}:{path.port}", ${allow}`);
  const port = await running('socks', ['-D', '0', `wss://localhost:${there.port}/to/{host}:{port}`], there);
  const proxy = ['--socks5-hostname', `127.0.0.1:${port}`];
  expect(await curl([...proxy, `http://localhost:${portOf(web)}/wiki`])).toMatchObject({
    code: 0,
    output: 'hello /wiki\n',
  });
  const refused = await curl([...proxy, 'http://10.0.0.1/']);
  // "The request has been refused by the proxy": reply 2 of RFC 1928.
  expect([refused.code, refused.errors]).toEqual([97, expect.stringContaining('(2)')]);
});

/** Until it is stopped: tokens of so many seconds, a new one each second, in a file that is never half written. */
async function renewing(file: string, seconds: number): Promise<() => void> {
  const write = async () => {
    await writeFile(`${file}.next`, freshToken({ exp: Math.floor(Date.now() / 1000) + seconds }));
    await rename(`${file}.next`, file);
  };
  await write();
  const timer = setInterval(() => void write(), 1_000);
  const stop = () => clearInterval(timer);
  onTestFinished(stop);
  return stop;
}

function proxyCommand(url: string, ca: string, tokenCommand: string): string[] {
  const words = [process.execPath, resolve('src/main.ts'), 'stdio', url, '--ca', ca];
  return ['-o', `ProxyCommand=${words.join(' ')} --token-command '${tokenCommand}'`];
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

const MIB = 512;
const COPY_S = 60;
const CUTS = 20;

test(`scp copies ${MIB} MiB in a minute on tokens of ten seconds, while the WebSocket is cut twenty times`, async () => {
  const { port: service, options } = await startSshd();
  const there = await stage('/to', `tcp: "127.0.0.1:${service}", resume: 30s`);
  await renewing(there.tokenFile, 10);
  await using relay = await startCuttingRelay(there.port);
  const [source, copy] = [join(there.folder, 'source'), join(there.folder, 'copy')];
  const file = await open(source, 'w');
  for (let index = 0; index < MIB; index++) await file.write(randomFillSync(Buffer.alloc(2 ** 20)));
  await file.close();

  const proxy = proxyCommand(`wss://localhost:${relay.port}/to`, there.ca, `cat ${there.tokenFile}`);
  // Bits a second, in thousands.
  const pace = Math.ceil((MIB * 2 ** 20 * 8) / 1000 / COPY_S);
  const startMs = performance.now();
  const scp = spawn(programPath('scp', 'openssh-client'), [
    ...options,
    ...proxy,
    ...['-l', `${pace}`, source, `localhost:${copy}`],
  ]);
  onTestFinished(() => void scp.kill('SIGKILL'));
  let said = '';
  scp.stderr.on('data', (text) => {
    said += text;
  });
  // A cut may find nothing that is open.
  const timer = setInterval(
    () => {
      if (relay.cuts < CUTS) relay.cut();
    },
    (COPY_S * 1000) / (CUTS + 5),
  );
  onTestFinished(() => clearInterval(timer));
  const [code] = await once(scp, 'exit');
  expect([code, said]).toEqual([0, '']);
  expect(relay.cuts).toBe(CUTS);
  expect(performance.now() - startMs).toBeGreaterThan(0.9 * COPY_S * 1000);
  expect(await hashOf(copy)).toBe(await hashOf(source));
  console.log(
    `scp: ${MIB} MiB in ${((performance.now() - startMs) / 1000).toFixed(1)} s, ${relay.cuts} cuts`,
  );
}, 180_000);

test('ssh asks a shell, and ends as soon as there is no new token', async () => {
  const { port: service, options } = await startSshd();
  const there = await stage('/to', `tcp: "127.0.0.1:${service}", resume: 30s`);
  const stop = await renewing(there.tokenFile, 6);
  const command = `cat ${there.tokenFile} || { echo logged out >&2; exit 7; }`;
  const proxy = proxyCommand(`wss://localhost:${there.port}/to`, there.ca, command);
  const ssh = ['ssh', 'openssh-client'] as const;
  expect(await run(ssh, [...options, ...proxy, 'localhost', 'cat; echo two'], 'one\n')).toEqual({
    code: 0,
    output: 'one\ntwo\n',
    errors: '',
  });

  const session = spawn(programPath(...ssh), [...options, ...proxy, 'localhost', 'echo begun; cat']);
  onTestFinished(() => void session.kill('SIGKILL'));
  let [out, err] = ['', ''];
  session.stdout.on('data', (text) => {
    out += text;
  });
  session.stderr.on('data', (text) => {
    err += text;
  });
  await eventually(() => out === 'begun\n', 'the session', SETTLE_MS);
  stop();
  await rm(there.tokenFile);
  const [code] = await within(once(session, 'exit'), 'the end of the session', SETTLE_MS);
  expect(code).toBe(255);
  expect(err).toMatch(/sallyport: --token-command: it ended with 7: .*logged out/s);
});
