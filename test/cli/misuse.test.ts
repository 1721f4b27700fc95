import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fromCommand } from '../../src/cli/tunnel/token.ts';
import { backTo, quietCensus } from '../support/census.ts';
import { folderWith, sallyport } from '../support/cli.ts';
import { Command, dial, endOf } from '../support/commands.ts';
import { freshToken } from '../support/fresh.ts';
import { startGateway } from '../support/gateway.ts';
import { eventually, within } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';
import { portOf } from '../support/servers.ts';
import { listenAt } from '../support/sockets.ts';
import { echo, type Service, tcpScene } from '../support/tcp-v1-scene.ts';

/** The commands among programs, gateways and services that do not behave. */

/** `sallyport forward` in front of something that takes TCP connections, and is no gateway. */
async function forwardingTo(server: (socket: Socket) => void) {
  const listener = createServer(server);
  const { count } = await listenAt({ port: 0, host: '127.0.0.1' }, listener);
  const command = new Command(['forward', `ws://127.0.0.1:${portOf(listener)}/tcp`], { isErrorTTY: true });
  const [port = 0] = await command.ports();
  return { command, port, count };
}

async function forwarding(service: Service) {
  const { gateway } = await tcpScene(service);
  const command = new Command(['forward', gateway.url('/tcp')], { isErrorTTY: true });
  const [port = 0] = await command.ports();
  return { gateway, command, port };
}

describe('nothing is left open', () => {
  test('of a hundred programs that leave while they are connected', async () => {
    const { port, command } = await forwardingTo((socket) => void socket.on('error', () => {}).resume());
    const before = await quietCensus();
    const clients = Array.from({ length: 100 }, () => dial(port));
    await Promise.all(clients.map((client) => once(client, 'connect')));
    for (const client of clients) client.resetAndDestroy();
    await backTo(before, 10_000);
    expect(command.err).not.toContain('sallyport:');
  });

  test('of programs that do not read, when the command ends', async () => {
    const { port, command } = await forwarding((socket) => {
      socket.on('error', () => {});
      const write = (error?: Error | null) => void (error || socket.write(Buffer.alloc(64 * 1024), write));
      write();
    });
    const clients = Array.from({ length: 10 }, () => dial(port).pause());
    await eventually(() => command.err.split('opened').length > 10);
    const ends = clients.map((client) => endOf(client));
    expect(await command.end()).toBe(0);
    // Node 22 reads an end where a reset comes behind much else.
    for (const end of await Promise.all(ends)) expect(end).toMatch(/^(ECONNRESET|end)$/);
  });

  test('where a later place to listen is taken', async () => {
    const [free, taken] = [await freePort(), createServer()];
    await listenAt({ port: 0, host: '127.0.0.1' }, taken);
    const at = (port: number) => ['-L', `${port}:ws://127.0.0.1:1/`];
    const { code, err } = await sallyport(['forward', ...at(free), ...at(portOf(taken))]);
    expect([code, err]).toEqual([1, expect.stringContaining(`127.0.0.1:${portOf(taken)} is taken`)]);
    expect(await endOf(dial(free))).toBe('ECONNREFUSED');
  });
});

describe('what is no gateway is told of', () => {
  const ANSWER = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';

  test.each([
    ['who hangs up', '', /it has hung up; see whether a gateway answers there/],
    ['who hangs up amid the answer', ANSWER, /it has hung up; see whether a gateway answers there/],
    ['who greets first', 'SSH-2.0-OpenSSH_9.2\r\n', /it speaks no HTTP: check the host and the port/],
    ['who speaks no WebSocket', `${ANSWER}\r\n`, /Invalid Sec-WebSocket-Accept header/],
    [
      'a page',
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<p>hi</p>',
      /refused the handshake \(200, code 1002\)/,
    ],
  ])('%s', async (_, answer, said) => {
    const { port, command } = await forwardingTo((socket) => {
      socket.on('error', () => {}).once('data', () => socket.end(answer));
    });
    expect(await endOf(dial(port))).toBe('ECONNRESET');
    expect(command.err).toMatch(said);
  });
});

describe('a token command', () => {
  test('that does not heed its end is killed', async () => {
    const line = `trap '' TERM; echo asking >&2; while :; do sleep 0.1; done`;
    await expect(within(fromCommand(line, {}, 1_000), 'its end')).rejects.toThrow(
      '--token-command: it took longer than 1 s: asking',
    );
  });

  test('that has failed once may go well another time', async () => {
    const { gateway } = await tcpScene(echo, { auth: '{ issuer: main }' });
    const folder = await folderWith({});
    const line = `cat ${folder}/token`;
    const command = new Command(['forward', gateway.url('/tcp'), '--token-command', line]);
    const [port = 0] = await command.ports();
    expect(await endOf(dial(port))).toBe('ECONNRESET');
    await writeFile(join(folder, 'token'), freshToken());
    const client = dial(port);
    client.end('hello');
    expect(await text(client)).toBe('hello');
  });
});

test('a gateway that has gone breaks what is open, and serves what comes when it is back', async () => {
  const service = createServer({ allowHalfOpen: true }, echo);
  await listenAt({ port: 0, host: '127.0.0.1' }, service);
  const at = await freePort();
  const start = async () => {
    const gateway = await startGateway(`listeners: [{ host: 127.0.0.1, port: ${at} }]
drain: 100ms
routes: [{ name: tcp, match: { path: /tcp }, auth: none, upstream: { tcp: "127.0.0.1:${portOf(service)}" } }]`);
    onTestFinished(() => gateway.close());
    return gateway;
  };
  const first = await start();
  const command = new Command(['forward', `ws://127.0.0.1:${at}/tcp`]);
  const [port = 0] = await command.ports();
  const client = dial(port);
  client.write('x');
  await once(client, 'data');
  const ended = endOf(client);
  await first.close();
  expect(await ended).toBe('ECONNRESET');
  expect(command.err).toMatch(
    /the gateway or the service is busy, or restarts \(The gateway is shutting down\.\)/,
  );
  expect(await endOf(dial(port))).toBe('ECONNRESET');
  expect(command.err).toMatch(/nothing listens there; see whether the gateway runs/);
  await start();
  const next = dial(port);
  next.end('hello');
  expect(await text(next)).toBe('hello');
});
