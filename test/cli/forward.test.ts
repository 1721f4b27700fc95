import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { sentence } from '../../src/cli/tunnel/sentences.ts';
import { fromCommand } from '../../src/cli/tunnel/token.ts';
import { ConnectionError } from '../../src/client/index.ts';
import { folderWith, sallyport } from '../support/cli.ts';
import { Command, dial, endOf } from '../support/commands.ts';
import { freshToken } from '../support/fresh.ts';
import { eventually, within } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';
import { listenAt } from '../support/sockets.ts';
import { echo, mute, type Scene, type Service, tcpScene } from '../support/tcp-v1-scene.ts';

/** `sallyport forward` inside this process, a gateway and services on real sockets. */

async function forwarding(service: Service, more: readonly string[] = [], scene: Scene = {}, env = {}) {
  const { gateway } = await tcpScene(service, scene);
  const command = new Command(['forward', gateway.url('/tcp'), ...more], { env, isErrorTTY: true });
  const [port = 0] = await command.ports();
  return { gateway, command, port };
}

/** A service that answers once it has had all. */
const upper: Service = (socket) => {
  text(socket.on('error', () => {})).then(
    (all) => socket.end(all.toUpperCase()),
    () => {},
  );
};

const AUTH = '{ issuer: main }';

describe('each connection is a tunnel of its own', () => {
  test('with half-close both ways', async () => {
    const { port } = await forwarding(upper);
    const [one, two] = [dial(port), dial(port)];
    one.end('one');
    two.end('two');
    expect(await Promise.all([text(one), text(two)])).toEqual(['ONE', 'TWO']);
  });

  test('whose service may finish first', async () => {
    let heard = '';
    const { port } = await forwarding((socket) => {
      socket.end('bye').on('data', (chunk) => {
        heard += chunk;
      });
    });
    const client = dial(port);
    expect(await text(client)).toBe('bye');
    client.end('still here');
    await eventually(() => heard === 'still here');
  });

  test('and is told of on a terminal', async () => {
    const { port, command, gateway } = await forwarding(upper);
    const client = dial(port);
    client.end('hello');
    await text(client);
    const { id } = await gateway.logged(({ msg }) => msg === 'session opened');
    await eventually(() => /ended/.test(command.err));
    expect(command.err).toMatch(
      new RegExp(
        `^127.0.0.1:\\d+ opened, session ${id}\n127.0.0.1:\\d+ ended after 0\\.\\d s: 5 bytes up, 5 bytes down\n$`,
      ),
    );
  });

  test('and of nothing but failures elsewhere', async () => {
    const { gateway } = await tcpScene(upper);
    const command = new Command(['forward', gateway.url('/tcp')]);
    const client = dial((await command.ports())[0] ?? 0);
    client.end('hello');
    expect(await text(client)).toBe('HELLO');
    await gateway.logged(({ msg }) => msg === 'session ended');
    expect(await command.end()).toBe(0);
    expect(command.err).toBe('');
  });
});

describe('a broken end is told as one', () => {
  test('of the service to the client', async () => {
    const { port } = await forwarding((socket) => {
      socket.once('data', () => socket.resetAndDestroy());
    });
    const client = dial(port);
    client.write('x');
    expect(await endOf(client)).toBe('ECONNRESET');
  });

  test('of the client to the service', async () => {
    const heard = Promise.withResolvers<string>();
    const { port, command } = await forwarding((socket) => {
      socket.on('error', ({ message }) => heard.resolve(message)).on('end', () => heard.resolve('FIN'));
      socket.pipe(socket);
    });
    const client = dial(port);
    client.write('x');
    await once(client, 'data');
    client.resetAndDestroy();
    expect(await within(heard.promise, 'the end')).toMatch(/ECONNRESET/);
    await eventually(() => /left after/.test(command.err));
  });

  test('of the command to both, and it ends well', async () => {
    const heard = Promise.withResolvers<string>();
    const { port, command } = await forwarding((socket) => {
      socket.on('error', ({ message }) => heard.resolve(message)).on('end', () => heard.resolve('FIN'));
      socket.pipe(socket);
    });
    const client = dial(port);
    client.write('x');
    await once(client, 'data');
    const ended = endOf(client);
    expect(await command.end()).toBe(0);
    expect(await ended).toBe('ECONNRESET');
    expect(await within(heard.promise, 'the end')).toMatch(/ECONNRESET/);
  });
});

test('a client that reads late gets all', async () => {
  const size = 8 * 1024 * 1024;
  const { port } = await forwarding((socket) => {
    socket.on('error', () => {}).end(Buffer.alloc(size, 7));
  });
  const client = dial(port).pause();
  await once(client, 'connect');
  client.end();
  let length = 0;
  for await (const chunk of client) length += chunk.length;
  expect(length).toBe(size);
});

describe('places to listen', () => {
  test('are several, at the addresses that are said', async () => {
    const { gateway } = await tcpScene(echo);
    const [url, free] = [gateway.url('/tcp'), await freePort()];
    const command = new Command([
      'forward',
      '-L',
      `${free}:${url}`,
      '-L',
      `[::1]:0:${url}`,
      `${url}?key=secret`,
    ]);
    const ports = await command.ports(3);
    expect(command.out).toBe(
      `127.0.0.1:${free} -> ${url}\n[::1]:${ports[1]} -> ${url}\n127.0.0.1:${ports[2]} -> ${url}?…\n`,
    );
    for (const [index, port] of ports.entries()) {
      const client = dial(port, index === 1 ? '::1' : '127.0.0.1');
      client.end('x');
      expect(await text(client)).toBe('x');
    }
  });

  test.each([
    ['0.0.0.0', true],
    ['[::]', true],
    ['localhost', false],
    ['127.0.0.2', false],
  ])('at %s are warned of: %s', async (address, isOpen) => {
    const command = new Command(['forward', '-L', `${address}:0:ws://127.0.0.1:1/`]);
    const [port] = await command.ports();
    expect(command.err).toBe(
      isOpen
        ? `sallyport: whoever reaches this machine may connect to ${address}:${port}, and goes on as you: write 127.0.0.1 unless that is meant\n`
        : '',
    );
  });

  test('that are taken are named', async () => {
    const server = createServer();
    await listenAt({ port: 0, host: '127.0.0.1' }, server);
    const { port } = server.address() as AddressInfo;
    const { code, out, err } = await sallyport(['forward', '-L', `${port}:ws://127.0.0.1:1/`]);
    expect({ code, out, err }).toEqual({
      code: 1,
      out: '',
      err: `sallyport: 127.0.0.1:${port} is taken: stop the program that listens there, or choose another port\n`,
    });
  });

  test.each([
    [['forward'], /say where to: a URL, or -L PORT:URL/],
    [['forward', 'http://a/'], /Expected a URL that begins with wss/],
    [['forward', 'wss://me:pw@a/'], /without a name or password/],
    [['forward', '-L', 'wss://a/'], /Expected \[ADDRESS:\]PORT:URL or/],
    [['forward', '-L', '70000:wss://a/'], /Expected a port/],
    [['forward', '-L', '::1:80:wss://a/'], /Expected \[ADDRESS:\]PORT:URL or/],
    [['forward', '-L', ':80:wss://a/'], /Expected an address/],
    [['forward', '--max', '0', 'wss://a/'], /Expected a number from 1/],
    [['forward', '--token', 'x', 'wss://a/'], /unknown option '--token'/],
    [['forward', '--token-file', 'a', '--token-command', 'b', 'wss://a/'], /exclude one another/],
    [['forward', '--ca', '/nowhere', 'wss://a/'], /\/nowhere/],
  ])('%j is bad usage', async (argv, expected) => {
    const { code, out, err } = await sallyport(argv);
    expect(code).toBeGreaterThan(0);
    expect(out).toBe('');
    expect(err).toMatch(expected);
    expect(err).not.toMatch(/^ +at /m);
  });
});

test('more connections than --max are refused, which is said once, until one has ended', async () => {
  const { port, command } = await forwarding(echo, ['--max', '1']);
  const first = dial(port);
  first.write('x');
  await once(first, 'data');
  expect(await endOf(dial(port))).toBe('ECONNRESET');
  expect(await endOf(dial(port))).toBe('ECONNRESET');
  expect(command.err.match(/more than 1 connections/g)).toHaveLength(1);
  first.end();
  await endOf(first);
  await eventually(() => /ended/.test(command.err));
  const next = dial(port);
  next.end('y');
  expect(await text(next)).toBe('y');
});

describe('the token', () => {
  test('comes from a file, which is read for each connection', async () => {
    const folder = await folderWith({ token: `${freshToken()}\n` });
    const file = join(folder, 'token');
    const { port, command } = await forwarding(echo, ['--token-file', file], { auth: AUTH });
    const good = dial(port);
    good.end('x');
    expect(await text(good)).toBe('x');
    await writeFile(file, '');
    expect(await endOf(dial(port))).toBe('ECONNRESET');
    expect(command.err).toContain(`--token-file: ${file} is empty: there is no token in it\n`);
  });

  test.each([
    ['/nowhere', /--token-file: cannot read \/nowhere \(ENOENT\)\n/],
    ['/', /--token-file: cannot read \/ \(EISDIR\)\n/],
    ['/dev/zero', /--token-file: \/dev\/zero is no token: it has blanks, lines or other signs in it\n/],
  ])('is not had from the file %s, and that is said', async (file, said) => {
    const { port, command } = await forwarding(echo, ['--token-file', file], { auth: AUTH });
    expect(await endOf(dial(port))).toBe('ECONNRESET');
    expect(command.err).toMatch(said);
  });

  test('or from a command, or the environment', async () => {
    const token = freshToken();
    for (const [more, env] of [
      [['--token-command', 'echo $IT'], { IT: token }],
      [[], { SALLYPORT_TOKEN: token }],
    ] as const) {
      const { port } = await forwarding(echo, more, { auth: AUTH }, env);
      const client = dial(port);
      client.end('x');
      expect(await text(client)).toBe('x');
    }
  });

  test.each([
    ['echo no login >&2; exit 3', '--token-command: it ended with 3: no login\n'],
    ['true', '--token-command: its output is empty: there is no token in it\n'],
    ['echo a b', '--token-command: its output is no token: it has blanks, lines or other signs in it\n'],
    ['kill -9 $$', '--token-command: it was ended by SIGKILL\n'],
  ])('is not had from %j, and that is said', async (line, said) => {
    const { port, command } = await forwarding(echo, ['--token-command', line], { auth: AUTH });
    expect(await endOf(dial(port))).toBe('ECONNRESET');
    expect(command.err).toMatch(/^sallyport: 127.0.0.1:\d+: --token-command/);
    expect(command.err).toContain(said);
  });

  test('is not waited for any longer than that takes, nor read without an end', async () => {
    const late = fromCommand('echo the door is open >&2; sleep 9; true', {}, 1_000);
    await expect(late).rejects.toThrow('--token-command: it took longer than 1 s: the door is open');
    await expect(fromCommand('cat /dev/zero', {})).rejects.toThrow('--token-command: stdout maxBuffer');
  });

  test('is asked for once by those who ask at the same time', async () => {
    const folder = await folderWith({});
    const line = `echo x >>${folder}/asked; echo ${freshToken()}`;
    const { port } = await forwarding(echo, ['--token-command', line], { auth: AUTH });
    const clients = Array.from({ length: 5 }, () => dial(port).end('x'));
    expect(await Promise.all(clients.map((client) => text(client)))).toEqual(Array(5).fill('x'));
    expect((await readFile(join(folder, 'asked'), 'utf8')).length).toBeLessThan(10);
  });

  test('that the gateway refuses is no secret', async () => {
    const { port, command } = await forwarding(echo, [], { auth: AUTH }, { SALLYPORT_TOKEN: 'opaque' });
    expect(await endOf(dial(port))).toBe('ECONNRESET');
    expect(command.err).toMatch(
      /the gateway does not accept the token \(The token is not valid\.\): give it/,
    );
    expect(command.err).not.toContain('opaque');
  });

  test('that ends is replaced, and the connection ends at once when there is no new one', async () => {
    const folder = await folderWith({});
    const file = join(folder, 'token');
    const minute = () => freshToken({ exp: Date.now() / 1000 + 3 });
    await writeFile(file, minute());
    const line = `cat ${file} || { echo logged out >&2; exit 1; }`;
    const { port, command, gateway } = await forwarding(echo, ['--token-command', line], { auth: AUTH });
    const client = dial(port);
    client.write('x');
    await once(client, 'data');
    const ended = endOf(client);
    await rm(file);
    expect(await ended).toBe('ECONNRESET');
    expect(command.err).toMatch(/--token-command: it ended with 1: .*logged out/s);
    const { reason } = await gateway.logged(({ msg }) => msg === 'session ended');
    expect(reason).not.toBe('The token has expired.');
  });
});

describe('a gateway that does not let a connection be made', () => {
  test.each([
    [
      400,
      'BAD_REQUEST: The request is malformed.',
      /does not understand the handshake \(400 BAD_REQUEST: The/,
    ],
    [401, 'TOKEN_EXPIRED: The token has expired.', /does not accept the token \(401 TOKEN_EXPIRED: The/],
    [403, '', /does not permit this \(403\): the token, this address or the target/],
    [404, '<html>no</html>', /has no route for this URL \(404\): check its path/],
    [410, '', /has gone \(410\)/],
    [429, '', /too many connections or requests \(429\)/],
    [502, '', /does not reach the service \(502\)/],
    [503, '', /is busy, or restarts \(503\)/],
    [504, '', /did not answer the gateway in time \(504\)/],
    [302, '', /refused the handshake \(302, code 1002\)/],
  ])('with %d is quoted and explained', async (status, body, said) => {
    const server = createHttpServer().on('upgrade', (_, socket) => {
      socket.on('error', () => {});
      socket.end(
        `HTTP/1.1 ${status} No\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
    });
    await listenAt({ port: 0, host: '127.0.0.1' }, server);
    const { port: at } = server.address() as AddressInfo;
    const command = new Command(['forward', `ws://127.0.0.1:${at}/x`]);
    const [port = 0] = await command.ports();
    expect(await endOf(dial(port))).toBe('ECONNRESET');
    expect(command.err).toMatch(said);
    expect(command.err).not.toContain('<');
  });

  test('because it is not there is told so', async () => {
    const free = await freePort();
    const command = new Command(['forward', `ws://127.0.0.1:${free}/x`]);
    const [port = 0] = await command.ports();
    expect(await endOf(dial(port))).toBe('ECONNRESET');
    expect(command.err).toContain(`no connection to 127.0.0.1:${free}: nothing listens there`);
  });

  test('because its service is not there is told so', async () => {
    const target = `127.0.0.1:${await freePort()}`;
    const { port, command } = await forwarding(mute, [], { target });
    expect(await endOf(dial(port))).toBe('ECONNRESET');
    expect(command.err).toMatch(
      /the gateway does not reach the service \(The upstream could not be reached\./,
    );
  });

  test('in time is told so', () => {
    expect(sentence(new ConnectionError(1014, 'Late.', 'connection_timeout'))).toMatch(/in time \(Late\.\)/);
  });
});
