import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { readProxyHeader } from '../../src/proxy-protocol/read.ts';
import { eventually } from '../support/census.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { certificate } from '../support/listener.ts';
import { BINARY, handshake, open, say } from '../support/raw.ts';
import { portOf } from '../support/servers.ts';
import { listenAt, socketPath } from '../support/sockets.ts';

/** TCP services that are told of their clients, or that want TLS. */

let folder: string;
let files: { cert: string; key: string };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-tcp-tls-'));
  files = await certificate(folder, ['db.internal']);
});
afterAll(() => rm(folder, { recursive: true }));

async function gatewayTo(target: number | string, keys: string, rest = ''): Promise<TestGateway> {
  const address = typeof target === 'number' ? `127.0.0.1:${target}` : target;
  const gateway = await startGateway(`
routes:
  - { name: r, match: { path: /* }, auth: none, upstream: { tcp: "${address}", ${keys} } ${rest} }`);
  onTestFinished(() => gateway.close());
  return gateway;
}

/** A service for which `serve` speaks; its port. */
async function startService(serve: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, serve);
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  return portOf(server);
}

/** Begins TLS on a socket as a server, and echoes what comes in capitals. */
async function shout(socket: Socket): Promise<void> {
  const context = createSecureContext({ cert: await readFile(files.cert), key: await readFile(files.key) });
  const secure = new TLSSocket(socket, { isServer: true, secureContext: context });
  secure.on('error', () => {}).on('data', (chunk) => secure.write(String(chunk).toUpperCase()));
}

function fits(heard: string, wanted: RegExp | Buffer): boolean {
  return wanted instanceof RegExp ? wanted.test(heard) : heard === wanted.toString('latin1');
}

/** Answers, in its turn, each of `lines` that comes with what stands for it; then TLS. */
function dialogueOf(
  greeting: string,
  lines: readonly (readonly [heard: RegExp | Buffer, said: string | Buffer])[],
) {
  return function serve(socket: Socket): void {
    let heard = '';
    let step = 0;
    if (greeting !== '') socket.write(greeting);
    socket.on('data', function onData(chunk) {
      heard += chunk.toString('latin1');
      const [wanted, said] = lines[step] ?? [];
      if (wanted === undefined || said === undefined || !fits(heard, wanted)) return;
      heard = '';
      step++;
      if (step === lines.length) socket.off('data', onData).pause();
      socket.write(said);
      if (step === lines.length) void shout(socket);
    });
  };
}

const POSTGRES = Buffer.from('0000000804d2162f', 'hex');
const LDAP = Buffer.from('301d02010177188016312e332e362e312e342e312e313436362e3230303337', 'hex');
const SAID_YES = Buffer.from('300c02010178070a010004000400', 'hex');
const SAID_NO = Buffer.from('300c02010178070a010204000400', 'hex');
const trusting = () => `ca: "${files.cert}", servername: db.internal`;

describe('TLS', () => {
  test('is spoken from the first byte on', async () => {
    const port = await startService((socket) => void shout(socket));
    const gateway = await gatewayTo(port, `tls: { ${trusting()} }`);
    using client = await open(gateway.port, '/');
    client.send(BINARY, 'hello');
    expect(String(await client.message())).toBe('HELLO');
  });

  test('is spoken through a unix socket', async () => {
    const path = await socketPath();
    const server: Server = createServer({ allowHalfOpen: true }, (socket) => void shout(socket));
    await listenAt(path, server);
    const gateway = await gatewayTo(`unix:${path}`, `tls: { ${trusting()} }`);
    using client = await open(gateway.port, '/');
    client.send(BINARY, 'hello');
    expect(String(await client.message())).toBe('HELLO');
  });

  test('is not spoken with whoever has another name', async () => {
    const port = await startService((socket) => void shout(socket));
    const gateway = await gatewayTo(port, `tls: { ca: "${files.cert}" }`);
    using client = await say(gateway.port, handshake('/'));
    expect(await client.answer()).toMatchObject({ status: 502 });
    expect(await gateway.logged(({ error }) => error === 'UPSTREAM_REFUSED')).toMatchObject({
      cause: expect.stringMatching(/upstream\.tls\.servername$/),
    });
  });

  test('that is a word believes the authorities that Node comes with', async () => {
    const port = await startService((socket) => void shout(socket));
    const gateway = await gatewayTo(port, 'tls: on');
    using client = await say(gateway.port, handshake('/'));
    expect(await client.answer()).toMatchObject({ status: 502 });
  });
});

describe('a service is asked for TLS in its own protocol', () => {
  test.each([
    ['postgres', dialogueOf('', [[POSTGRES, 'S']]), ''],
    ['ldap', dialogueOf('', [[LDAP, SAID_YES]]), ''],
    [
      'smtp',
      dialogueOf('220-mx.internal\r\n220 ESMTP\r\n', [
        [/^EHLO \S+\r\n$/, '250-mx.internal\r\n250-STARTTLS\r\n250 SIZE\r\n'],
        [/^STARTTLS\r\n$/, '220 go on\r\n'],
      ]),
      '220-mx.internal\r\n220 ESMTP\r\n',
    ],
    [
      'imap',
      dialogueOf('* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n', [
        [/^tls STARTTLS\r\n$/, '* 1 EXISTS\r\ntls OK go on\r\n'],
      ]),
      '* OK ready\r\n',
    ],
  ])('%s', async (kind, serve, greeting) => {
    const gateway = await gatewayTo(await startService(serve), `tls: { starttls: ${kind}, ${trusting()} }`);
    using client = await open(gateway.port, '/');
    const said = () => Buffer.concat(client.frames.map(({ payload }) => payload)).toString();
    // What the service has said in plain text is there before the client says anything.
    await eventually(() => said() === greeting);
    client.send(BINARY, 'hello');
    await eventually(() => said() === `${greeting}HELLO`);
  });

  test.each([
    ['postgres', dialogueOf('', [[POSTGRES, 'N']]), /speaks no TLS: PostgreSQL has answered N/],
    ['postgres', dialogueOf('', [[POSTGRES, 'E']]), /asking for TLS: no PostgreSQL has answered/],
    ['postgres', dialogueOf('', [[POSTGRES, 'Sinjected']]), /asking for TLS: it has said more before TLS/],
    ['ldap', dialogueOf('', [[LDAP, SAID_NO]]), /speaks no TLS: LDAP has answered StartTLS with result 2/],
    ['ldap', dialogueOf('', [[LDAP, 'HTTP/1.1 400']]), /asking for TLS: no LDAP service has answered/],
    ['smtp', dialogueOf('220 mx\r\n', [[/EHLO/, '250 mx\r\n']]), /speaks no TLS: SMTP offers no STARTTLS/],
    ['smtp', dialogueOf('554 no\r\n', []), /asking for TLS: SMTP has answered 554/],
    ['imap', dialogueOf('* OK\r\n', [[/STARTTLS/, 'tls NO\r\n']]), /speaks no TLS: IMAP refuses STARTTLS/],
    ['imap', dialogueOf('* BYE\r\n', []), /asking for TLS: no IMAP service has answered/],
    ['imap', dialogueOf('x'.repeat(17_000), []), /it has said more than 16384 bytes before TLS/],
    ['postgres', (socket: Socket) => void socket.end(), /closed while asking for TLS/],
  ])('%s that does not give it is refused, and the log says why', async (kind, serve, detail) => {
    const gateway = await gatewayTo(await startService(serve), `tls: { starttls: ${kind}, ${trusting()} }`);
    using client = await say(gateway.port, handshake('/'));
    expect(await client.answer()).toMatchObject({ status: 502 });
    const line = await gateway.logged(({ msg }) => /refused$/.test(String(msg)));
    expect(line.detail).toMatch(detail);
  });

  test('one that only says so is refused, and the log says what to write', async () => {
    // The second word is what no TLS begins with: it is taken for nothing else.
    const port = await startService((socket) => {
      socket.once('data', () => {
        socket.write('S');
        socket.once('data', () => socket.end('injected'));
      });
    });
    const gateway = await gatewayTo(port, `tls: { starttls: postgres, ${trusting()} }`);
    using client = await say(gateway.port, handshake('/'));
    expect(await client.answer()).toMatchObject({ status: 502 });
    const line = await gateway.logged(({ msg }) => /refused$/.test(String(msg)));
    expect(JSON.stringify(line)).toContain('it speaks no TLS: write upstream without tls');
  });

  test('in time', async () => {
    const port = await startService(() => {});
    const gateway = await gatewayTo(port, 'tls: postgres', ', timeouts: { handshake: 50ms }');
    using client = await say(gateway.port, handshake('/'));
    expect(await client.answer()).toMatchObject({ status: 504 });
  });
});

describe('a PROXY header', () => {
  /** What a service has heard, each connection apart. */
  async function startEar(): Promise<{ port: number; heard: Buffer[] }> {
    const heard: Buffer[] = [];
    const port = await startService((socket) => {
      const index = heard.push(Buffer.alloc(0)) - 1;
      socket
        .on('error', () => {})
        .on('data', (chunk) => {
          heard[index] = Buffer.concat([heard[index] as Buffer, chunk]);
        });
    });
    return { port, heard };
  }

  test.each(['v1', 'v2'])('says whom a connection is for: %s', async (version) => {
    const { port, heard } = await startEar();
    const gateway = await gatewayTo(port, `proxyProtocol: ${version}`);
    using client = await open(gateway.port, '/');
    client.send(BINARY, 'hello');
    await eventually(() => heard[0]?.includes('hello') === true);
    const bytes = heard[0] as Buffer;
    const header = readProxyHeader(bytes);
    expect(header?.ends).toEqual({
      source: { address: '127.0.0.1', port: client.socket.localPort },
      destination: { address: '127.0.0.1', port: gateway.port },
    });
    expect(bytes.subarray(header?.length).toString()).toBe('hello');
  });

  test('goes in front of TLS', async () => {
    const secure: Promise<string>[] = [];
    const port = await startService((socket) => {
      secure.push(
        once(socket, 'readable').then(() => {
          const bytes = socket.read() as Buffer;
          const length = readProxyHeader(bytes)?.length ?? 0;
          if (bytes.length > length) socket.unshift(bytes.subarray(length));
          void shout(socket);
          return bytes.toString('latin1', 0, length);
        }),
      );
    });
    const gateway = await gatewayTo(port, `proxyProtocol: v1, tls: { ${trusting()} }`);
    using client = await open(gateway.port, '/');
    client.send(BINARY, 'hello');
    expect(String(await client.message())).toBe('HELLO');
    expect(await secure[0]).toMatch(/^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\n$/);
  });

  test('names the client behind a trusted proxy, which has no port', async () => {
    const { port, heard } = await startEar();
    const gateway = await startGateway(`
trustedProxies: [127.0.0.1]
routes:
  - { name: r, match: { path: /* }, auth: none, upstream: { tcp: "127.0.0.1:${port}", proxyProtocol: v1 } }`);
    onTestFinished(() => gateway.close());
    using client = await say(gateway.port, handshake('/', { 'x-forwarded-for': '192.0.2.9' }));
    await client.answer();
    await eventually(() => heard[0]?.includes('\n') === true);
    expect(String(heard[0])).toBe(`PROXY TCP4 192.0.2.9 127.0.0.1 0 ${gateway.port}\r\n`);
  });

  test('of a health check is about nobody', async () => {
    const { port, heard } = await startEar();
    await gatewayTo(port, 'proxyProtocol: v1, health: { every: 20ms }');
    await eventually(() => heard[0]?.includes('\n') === true);
    expect(String(heard[0])).toBe('PROXY UNKNOWN\r\n');
  });
});
