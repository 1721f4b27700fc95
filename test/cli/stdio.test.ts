import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { folderWith } from '../support/cli.ts';
import { Command } from '../support/commands.ts';
import { freshToken } from '../support/fresh.ts';
import { eventually, within } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';
import { run } from '../support/programs.ts';
import { startCuttingRelay } from '../support/relays.ts';
import { echo, mute, type Scene, type Service, tcpScene } from '../support/tcp-v1-scene.ts';

/** `sallyport stdio`: inside this process, and in one of its own where its descriptors matter. */

async function piping(service: Service, scene: Scene = {}, env = {}) {
  const { gateway } = await tcpScene(service, scene);
  return { gateway, command: new Command(['stdio', gateway.url('/tcp')], { env }) };
}

const upper: Service = (socket) => {
  text(socket.on('error', () => {})).then(
    (all) => socket.end(all.toUpperCase()),
    () => {},
  );
};

describe('stdin and stdout', () => {
  test('are the bytes of the service, with half-close, and nothing else', async () => {
    const { command } = await piping(upper);
    command.input.end('hello');
    expect(await text(command.output)).toBe('HELLO');
    expect(await command.exit).toBe(0);
    expect([command.out, command.err]).toEqual(['', '']);
  });

  test('are whole, for whoever reads them late', async () => {
    const size = 8 * 1024 * 1024;
    const { command } = await piping((socket) => {
      socket.on('error', () => {}).end(Buffer.alloc(size));
    });
    command.input.end();
    await eventually(() => command.output.readableLength > 0);
    let length = 0;
    for await (const chunk of command.output) length += chunk.length;
    expect(length).toBe(size);
    expect(await command.exit).toBe(0);
  });

  test('that end are closed, so that whoever reads them hears it', async () => {
    let heard = '';
    const { gateway } = await tcpScene((socket) => {
      socket.end('bye').on('data', (chunk) => {
        heard += chunk;
      });
    });
    // The reader of its output says so when that has ended, and only then ends its input.
    const line = `mkfifo "$2/in"; "$0" src/main.ts stdio "$1" <"$2/in" | { exec 3>"$2/in"; cat; echo 'and you' >&3; }`;
    const { output } = await run(
      ['sh', 'dash'],
      ['-c', line, process.execPath, gateway.url('/tcp'), await folderWith({})],
    );
    expect(output).toBe('bye');
    await eventually(() => heard === 'and you\n');
  });
});

describe('it ends with 1 and a sentence', () => {
  test('when the service resets', async () => {
    const { command } = await piping((socket) => void socket.once('data', () => socket.resetAndDestroy()));
    command.input.write('x');
    expect(await within(command.exit, 'the end')).toBe(1);
    expect(command.err).toMatch(/^sallyport: the service has broken the connection \(/);
  });

  test('when there is no service', async () => {
    const { command } = await piping(mute, { target: `127.0.0.1:${await freePort()}` });
    expect(await within(command.exit, 'the end')).toBe(1);
    expect(command.err).toMatch(/^sallyport: the gateway does not reach the service \(.*\n$/);
  });

  test('when the token is not accepted', async () => {
    const { command } = await piping(
      echo,
      { auth: '{ issuer: main }' },
      { SALLYPORT_TOKEN: freshToken({ exp: 1 }) },
    );
    expect(await within(command.exit, 'the end')).toBe(1);
    expect(command.err).toMatch(
      /^sallyport: the gateway does not accept the token \(The token has expired\.\)/,
    );
  });

  test('when the WebSocket is cut where it cannot go on', async () => {
    const { gateway } = await tcpScene(echo);
    await using relay = await startCuttingRelay(gateway.port);
    const command = new Command(['stdio', `ws://127.0.0.1:${relay.port}/tcp`]);
    command.input.write('x');
    await eventually(() => command.output.readableLength === 1);
    relay.cut();
    expect(await within(command.exit, 'the end')).toBe(1);
    expect(command.err).toMatch(/^sallyport: the connection to the gateway was lost, and could not go on/);
  });

  test('when whoever reads stdout leaves, and the service hears a reset', async () => {
    const heard = Promise.withResolvers<string>();
    const { command } = await piping((socket) => {
      socket.on('error', ({ message }) => heard.resolve(message)).on('end', () => heard.resolve('FIN'));
      socket.pipe(socket);
    });
    command.input.write('x');
    await eventually(() => command.output.readableLength === 1);
    command.output.destroy(new Error('EPIPE'));
    expect(await within(command.exit, 'the end')).toBe(1);
    expect(await within(heard.promise, 'the reset')).toMatch(/ECONNRESET/);
  });
});

test.each(['end', 'hangUp'] as const)('a signal ends it (%s), and the service hears a reset', async (how) => {
  const heard = Promise.withResolvers<string>();
  const { command } = await piping((socket) => {
    socket.on('error', ({ message }) => heard.resolve(message)).on('end', () => heard.resolve('FIN'));
    socket.pipe(socket);
  });
  command.input.write('x');
  await eventually(() => command.output.readableLength === 1);
  expect(await command[how]()).toBe(1);
  expect(await within(heard.promise, 'the reset')).toMatch(/ECONNRESET/);
  expect(command.err).toBe('');
});
