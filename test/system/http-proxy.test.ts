import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { Process } from '../support/cli.ts';
import { dial, endOf } from '../support/commands.ts';
import { type Stage, stage } from '../support/forwarded.ts';
import { eventually } from '../support/patience.ts';
import { startSort, startSshd } from '../support/plain-services.ts';
import { run } from '../support/programs.ts';
import { startTinyproxy } from '../support/tinyproxy.ts';

/** The commands through Debian's tinyproxy, which wants a name and password: TLS, and a token, on all. */

const [USER, PASSWORD] = ['me', 'open-sesame'];

async function scene(service: number) {
  const there = await stage('/to', `tcp: "127.0.0.1:${service}"`);
  const port = await startTinyproxy(USER, PASSWORD, there.port);
  const proxy = (password = PASSWORD) => ['--proxy', `http://${USER}:${password}@127.0.0.1:${port}`];
  return { there, proxy };
}

function options({ ca, tokenFile }: Stage): string[] {
  return ['--ca', ca, '--token-file', tokenFile];
}

/** `sallyport forward`, and its port. */
async function forward(args: readonly string[]): Promise<{ command: Process; port: number }> {
  const command = new Process(['forward', ...args]);
  return { command, port: Number(/:(\d+) -> /.exec(await command.line(/ -> /))?.[1]) };
}

test('nc -N has its lines sorted', async () => {
  const { there, proxy } = await scene(await startSort());
  const { port } = await forward([`wss://localhost:${there.port}/to`, ...proxy(), ...options(there)]);
  const ran = await run(['nc', 'netcat-openbsd'], ['-N', '127.0.0.1', `${port}`], 'b\na\n');
  expect(ran).toEqual({ code: 0, output: 'a\nb\n', errors: '' });
});

test('ssh asks a shell', async () => {
  const { port, options: own } = await startSshd();
  const { there, proxy } = await scene(port);
  const words = ['stdio', `wss://localhost:${there.port}/to`, ...proxy(), ...options(there)];
  const command = [process.execPath, resolve('src/main.ts'), ...words].join(' ');
  const ran = await run(
    ['ssh', 'openssh-client'],
    [...own, '-o', `ProxyCommand=${command}`, 'localhost', 'cat'],
    'hello\n',
  );
  expect(ran).toEqual({ code: 0, output: 'hello\n', errors: '' });
});

test('another password, and another port, are refused, and told of', async () => {
  const { there, proxy } = await scene(await startSort());
  const stranger = await forward([
    `wss://localhost:${there.port}/to`,
    ...proxy('guessed'),
    ...options(there),
  ]);
  expect(await endOf(dial(stranger.port))).toBe('ECONNRESET');
  await eventually(() => / the proxy \S+ wants a name and password, or others \(/.test(stranger.command.err));
  const astray = await forward(['wss://localhost:1/to', ...proxy(), ...options(there)]);
  expect(await endOf(dial(astray.port))).toBe('ECONNRESET');
  await eventually(() => /does not let anybody through to localhost:1 \(403\)/.test(astray.command.err));
  expect(stranger.command.err + astray.command.err).not.toMatch(/guessed|open-sesame/);
});
