import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { readTemplate } from '../../src/cli/socks.ts';
import { hearDestination, replyTo } from '../../src/cli/tunnel/socks5.ts';
import { ConnectionError } from '../../src/client/index.ts';
import { sallyport } from '../support/cli.ts';
import { Command, dial, endOf } from '../support/commands.ts';
import { eventually, within } from '../support/patience.ts';
import { listenAt, openSocketPair } from '../support/sockets.ts';

/** `sallyport socks` inside this process, in front of a relay that tells where it was asked to go, and of refusals. */

interface Relay {
  readonly port: number;
  /** Paths of the handshakes. */
  readonly asked: string[];
}

/** Takes plain messages and sends them back, or refuses with the status that stands in the path. */
async function startRelay(): Promise<Relay> {
  const asked: string[] = [];
  const relay = new WebSocketServer({ noServer: true, handleProtocols: () => 'binary' });
  const server = createHttpServer().on('upgrade', (request, socket, head) => {
    asked.push(request.url ?? '');
    const [, status] = /status-(\d+)/.exec(request.url ?? '') ?? [];
    if (status !== undefined) {
      socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
      return;
    }
    relay.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => {}).on('message', (data) => client.send(data));
    });
  });
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  return { port: (server.address() as AddressInfo).port, asked };
}

async function proxying(more: readonly string[] = []) {
  const relay = await startRelay();
  const url = `ws://127.0.0.1:${relay.port}/to/{host}:{port}`;
  const command = new Command(['socks', '-D', '0', url, ...more], { isErrorTTY: true });
  const [port = 0] = await command.ports();
  return { ...relay, command, port, url };
}

const GREETING = '050100';
const name = (host: string) =>
  `03${Buffer.from([host.length]).toString('hex')}${Buffer.from(host, 'latin1').toString('hex')}`;
const request = (address: string, port = '01bb', command = '01') => `05${command}00${address}${port}`;
const OK = '05000001000000000000';
const replied = (code: string) => `05${code}0001000000000000`;

/** All that comes back for these octets, in hexadecimal, and whether that ends with a reset. */
async function talk(port: number, hex: string): Promise<string> {
  const client = dial(port);
  client.end(Buffer.from(hex, 'hex'));
  const parts: Buffer[] = [];
  let end = '';
  client
    .on('data', (part) => parts.push(part))
    .on('error', () => {
      end = ' reset';
    });
  await within(new Promise((resolve) => client.once('close', resolve)), 'the end');
  return Buffer.concat(parts).toString('hex') + end;
}

describe('CONNECT', () => {
  test.each([
    ['a name', name('wiki.internal'), 'wiki.internal:443'],
    ['an IPv4 address', '010a000001', '10.0.0.1:443'],
    ['an IPv6 address', '0420010db8000000000000000000000001', '[2001:db8::1]:443'],
  ])('to %s is asked of the gateway as it was said', async (_, address, place) => {
    const { port, asked, command } = await proxying();
    const client = dial(port);
    // What is sent before the answer waits for it.
    client.write(Buffer.from(GREETING + request(address) + Buffer.from('hello').toString('hex'), 'hex'));
    let heard = '';
    client.on('data', (part) => {
      heard += part.toString('latin1');
    });
    const wanted = Buffer.from(`0500${OK}`, 'hex').toString('latin1');
    await eventually(() => heard === `${wanted}hello`);
    expect(asked).toEqual([`/to/${place}`]);
    expect(command.err).toMatch(
      new RegExp(`^127.0.0.1:\\d+ opened to ${place.replace(/[[\].]/g, '\\$&')}\n`),
    );
  });

  test('octet by octet is the same', async () => {
    const { port, asked } = await proxying();
    const client = dial(port).setNoDelay(true);
    for (const octet of Buffer.from(GREETING + request(name('a')), 'hex')) client.write(Buffer.of(octet));
    await eventually(() => asked.length === 1);
    expect(asked).toEqual(['/to/a:443']);
  });
});

describe('a connection that is not made is answered', () => {
  test.each([
    ['connection_refused', 1014, '05'],
    ['dns_error', 1014, '04'],
    ['connection_timeout', 1014, '04'],
    ['destination_ip_unroutable', 1014, '03'],
    ['http_request_denied', 3003, '02'],
    ['destination_ip_prohibited', 3003, '02'],
    ['', 3000, '02'],
    ['', 1014, '01'],
    ['proxy_internal_error', 1011, '01'],
  ])('for %s and %d with %s', (error, code, reply) => {
    expect(replyTo(new ConnectionError(code, '', error))).toBe(Number.parseInt(reply, 16));
  });

  test.each([
    [403, '02'],
    [502, '01'],
  ])('for status %d with %s, whole, and in words to whoever runs it', async (status, reply) => {
    const { port, command } = await proxying();
    const host = `status-${status}`;
    expect(await talk(port, GREETING + request(name(host)))).toBe(`0500${replied(reply)}`);
    expect(command.err).toContain(`(${status})`);
  });
});

describe('what is no CONNECT of SOCKS 5 reaches nobody', () => {
  test.each<readonly [string, string, string, RegExp]>([
    ['BIND', GREETING + request(name('a'), '01bb', '02'), `0500${replied('07')}`, /only CONNECT/],
    ['UDP', GREETING + request(name('a'), '01bb', '03'), `0500${replied('07')}`, /only CONNECT/],
    ['an unknown type of address', `${GREETING}05010002`, `0500${replied('08')}`, /type 2 of address/],
    ['a client with a password only', '050102', '05ff', /wants to authenticate/],
    ['a client with no method', '0500', '05ff', /wants to authenticate/],
    ['SOCKS 4', '040101bb0a00000100', ' reset', /speaks SOCKS 4/],
    ['HTTP', Buffer.from('GET http://a/ HTTP/1.1\r\n').toString('hex'), ' reset', /no HTTP proxy/],
    ['another version of request', `${GREETING}040100`, '0500 reset', /has left|not one of SOCKS/],
    ['a request that is cut', `${GREETING}0501000304`, '0500 reset', /has left amid/],
    ['an empty name', GREETING + request('0300'), `0500${replied('02')}`, /has signs/],
    ...['a/b', 'a?b', 'a#b', 'a%41', 'a b', 'a@b', 'a\\b', '..', 'a\0', 'a\nb', '{port}', 'ä', '[::1]'].map(
      (host) =>
        [
          `the name ${JSON.stringify(host)}`,
          GREETING + request(name(host)),
          `0500${replied('02')}`,
          /has signs/,
        ] as const,
    ),
  ])('%s', async (_, hex, answer, said) => {
    const { port, asked, command } = await proxying();
    expect(await talk(port, hex)).toBe(answer);
    await eventually(() => said.test(command.err));
    expect(asked).toEqual([]);
  });

  test('a client that says nothing has its time only', async () => {
    using pair = await openSocketPair();
    await expect(hearDestination(pair.peer, AbortSignal.abort())).rejects.toThrow(/not said within 10 s/);
  });

  test('a client that resets amid its request is no failure of the command', async () => {
    const { port, command } = await proxying();
    const client = dial(port);
    client.write(Buffer.from('05', 'hex'));
    await once(client, 'connect');
    client.resetAndDestroy();
    await eventually(() => /has left amid/.test(command.err));
    expect(await talk(port, '0500')).toBe('05ff');
  });
});

test('a template has both places, behind the name of the gateway', () => {
  expect(readTemplate('wss://gw/?address={host}:{port}')).toBe('wss://gw/?address={host}:{port}');
  for (const bad of [
    'wss://gw/{host}',
    'wss://gw/{port}',
    'wss://{host}:{port}/',
    'wss://gw{host}/{port}',
    'http://gw/{host}/{port}',
  ])
    expect(() => readTemplate(bad)).toThrow(/^Expected/);
});

test('bad usage ends with 2', async () => {
  for (const argv of [['socks'], ['socks', 'wss://a/'], ['socks', '-D', 'x', 'wss://a/{host}{port}']])
    expect(await sallyport(argv)).toMatchObject({ code: 2, out: '' });
});

test('it ends with its connections', async () => {
  const { port, command } = await proxying();
  const client = dial(port);
  client.write(Buffer.from(GREETING + request(name('a')), 'hex'));
  await eventually(() => /opened to a:443/.test(command.err));
  const ended = endOf(client);
  expect(await command.end()).toBe(0);
  expect(await ended).toBe('ECONNRESET');
});
