import { readFile, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { Process, sallyport } from '../support/cli.ts';
import { Command, endOf } from '../support/commands.ts';
import { eventually } from '../support/patience.ts';
import { listenAt, socketFolder, socketPath } from '../support/sockets.ts';
import { echo, type Service, tcpScene } from '../support/tcp-v1-scene.ts';

/** `sallyport forward` at a unix socket, for programs that may use a file. */

async function forwardingAt(path: string, service: Service = echo): Promise<Command> {
  const { gateway } = await tcpScene(service);
  const command = new Command(['forward', '-L', `${path}:${gateway.url('/tcp')}`], { isErrorTTY: true });
  await eventually(
    () => command.out.includes(' -> '),
    () => `listening: ${command.err}`,
  );
  return command;
}

function dialAt(path: string) {
  const socket = connect({ path, allowHalfOpen: true }).on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

test('it is a way to the service, with half-close, and gone at the end', async () => {
  const path = await socketPath();
  const command = await forwardingAt(path);
  expect(command.out).toMatch(new RegExp(`^${path} -> ws://127.0.0.1:\\d+/tcp\n$`));
  const client = dialAt(path);
  client.end('hello');
  expect(await text(client)).toBe('hello');
  await eventually(() => command.err.includes(`${path} ended after`));
  expect(await command.end()).toBe(0);
  await expect(stat(path)).rejects.toThrow('ENOENT');
});

test('a broken end closes it, which is all that can be told there', async () => {
  const path = await socketPath();
  const command = await forwardingAt(path, (socket) => {
    socket.on('error', () => {}).once('data', () => socket.resetAndDestroy());
  });
  const client = dialAt(path);
  client.write('x');
  expect(await endOf(client)).toBe('end');
  await eventually(() => command.err.includes('the service has broken the connection'));
});

test('the file of a command that was killed is taken over', async () => {
  const path = await socketPath();
  const killed = new Process(['forward', '-L', `${path}:ws://127.0.0.1:1/`]);
  await killed.line(/ -> /);
  killed.signal('SIGKILL');
  await killed.exit;
  expect((await stat(path)).isSocket()).toBe(true);
  await forwardingAt(path);
  const client = dialAt(path);
  client.end('hello');
  expect(await text(client)).toBe('hello');
});

test('a file of another kind, and a socket that is used, are left alone', async () => {
  const folder = await socketFolder();
  const [file, used] = [join(folder, 'file'), join(folder, 'used')];
  await writeFile(file, 'precious');
  const server = createServer((socket) => socket.end('still here'));
  await listenAt(used, server);
  for (const path of [file, used])
    expect(await sallyport(['forward', '-L', `${path}:ws://127.0.0.1:1/`])).toEqual({
      code: 1,
      out: '',
      err: `sallyport: ${path} is taken: stop the program that listens there, or choose another path\n`,
    });
  expect(await readFile(file, 'utf8')).toBe('precious');
  expect(await text(dialAt(used))).toBe('still here');
});

test.each([
  ['/nowhere/at/all', /\/nowhere\/at\/all is not permitted: choose a folder that is there/],
  [`/tmp/${'long'.repeat(40)}`, /too long for a unix socket/],
  ['/tmp/', /Expected \[ADDRESS:\]PORT:URL or \/PATH:URL/],
  ['/a:b', /Expected/],
])('%s is told of', async (path, said) => {
  const { code, err } = await sallyport(['forward', '-L', `${path}:ws://127.0.0.1:1/`]);
  expect(code).toBeGreaterThan(0);
  expect(err).toMatch(said);
  expect(err).not.toMatch(/^ +at /m);
});
