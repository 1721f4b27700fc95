import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { backTo, quietCensus } from '../support/census.ts';
import { Process } from '../support/cli.ts';
import { Command, dial, endOf } from '../support/commands.ts';
import { run } from '../support/programs.ts';
import { echo, mute, tcpScene } from '../support/tcp-v1-scene.ts';

/** `sallyport forward` and `stdio` as processes: their descriptors, signals and exit codes; and many connections. */

test('two hundred connections at once are answered, and leave nothing open', async () => {
  const { gateway } = await tcpScene(echo);
  const [port = 0] = await new Command(['forward', gateway.url('/tcp')]).ports();
  const before = await quietCensus();
  const clients = Array.from({ length: 200 }, (_, index) => dial(port).end(`hello ${index}`));
  const said = await Promise.all(clients.map((client) => text(client)));
  expect(said).toEqual(clients.map((_, index) => `hello ${index}`));
  await backTo(before, 10_000);
});

test('stdio whose input has ended already gets the answer, and ends with 0', async () => {
  const { gateway } = await tcpScene((socket) => {
    text(socket.on('error', () => {})).then(
      (all) => socket.end(`got ${all.length} bytes`),
      () => {},
    );
  });
  const ran = await run(
    ['sh', 'dash'],
    ['-c', `"$0" src/main.ts stdio "$1" </dev/null`, process.execPath, gateway.url('/tcp')],
  );
  expect(ran).toEqual({ code: 0, output: 'got 0 bytes', errors: '' });
});

test('stdio whose output nobody reads any more ends, with 1', async () => {
  const { gateway } = await tcpScene((socket) => {
    socket.on('error', () => {});
    const yes = 'yes\n'.repeat(10_000);
    const write = (error?: Error | null) => void (error || socket.write(yes, write));
    write();
  });
  const line = `{ "$0" src/main.ts stdio "$1" </dev/zero; echo "code $?" >&2; } | head -n 1`;
  const ran = await run(['sh', 'dash'], ['-c', line, process.execPath, gateway.url('/tcp')]);
  expect(ran).toMatchObject({ code: 0, output: 'yes\n' });
  expect(ran.errors).toBe('sallyport: whoever reads what comes has left\ncode 1\n');
});

test.each(['SIGINT', 'SIGTERM'] as const)('forward ends with 0 at %s, with what is open', async (signal) => {
  const { gateway } = await tcpScene(mute);
  const command = new Process(['forward', gateway.url('/tcp')]);
  const client = dial(Number(/:(\d+) -> /.exec(await command.line(/ -> /))?.[1]));
  client.end('half');
  await gateway.logged(({ msg }) => msg === 'session opened');
  const ended = endOf(client);
  command.signal(signal);
  expect(await command.exit).toBe(0);
  expect(await ended).toBe('ECONNRESET');
  expect(command.err).toBe('');
});
