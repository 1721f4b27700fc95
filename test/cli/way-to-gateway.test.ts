import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, test } from 'vitest';
import { proxyChooser } from '../../src/cli/tunnel/proxy.ts';
import { makeAuthority, makeCertificate, type Pair, writePair } from '../support/certificates.ts';
import { folderWith, Process, sallyport } from '../support/cli.ts';
import { Command, dial } from '../support/commands.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import { freshToken } from '../support/fresh.ts';
import { eventually } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';
import { echo, tcpScene } from '../support/tcp-v1-scene.ts';

/** How the commands get to a gateway: through an HTTP proxy, with authorities and a certificate of their own, and never a token in plain text unsaid. */

let authority: Pair;
let gate: Pair;
beforeAll(async () => {
  authority = await makeAuthority('a company');
  gate = await makeCertificate({ dns: ['gate.test', 'localhost'] }, authority);
});

/** An echo behind a gateway whose certificate is for `gate.test`, a name that nobody but a proxy finds. */
async function secureScene(tls = '') {
  const folder = await folderWith({ 'ca.pem': authority.cert });
  const { files } = await writePair(folder, 'gate', gate);
  const certificates = `certificates: [{ cert: "${files.cert}", key: "${files.key}" }]`;
  const { gateway } = await tcpScene(echo, {
    issuers: `listeners: [{ host: 127.0.0.1, port: 0, tls: { ${certificates} ${tls} } }]\ndrain: 1s`,
  });
  const url = (host = 'gate.test') => `wss://${host}:${gateway.port}/tcp`;
  return { gateway, folder, url, ca: ['--ca', `${folder}/ca.pem`] };
}

/** What comes back of `hello`, or how that ends. */
async function ask(command: Command): Promise<string> {
  const client = dial((await command.ports())[0] ?? 0);
  client.end('hello');
  const said = await text(client).catch(({ code }) => code);
  return said;
}

describe('an HTTP proxy', () => {
  test.each([
    ['HTTPS_PROXY', ''],
    ['https_proxy', ''],
    ['ALL_PROXY', ''],
    ['HTTPS_PROXY', 'me:p%40ss@'],
  ])('of %s (%s) leads there, with TLS through it', async (name, credentials) => {
    const { url, ca, gateway } = await secureScene();
    const proxy = await startConnectProxy();
    const env = { [name]: `http://${credentials}127.0.0.1:${proxy.port}` };
    expect(await ask(new Command(['forward', url(), ...ca], { env }))).toBe('hello');
    const authorization = credentials ? `Basic ${Buffer.from('me:p@ss').toString('base64')}` : undefined;
    expect(proxy.asked).toEqual([{ place: `gate.test:${gateway.port}`, authorization }]);
    await eventually(() => proxy.open === 0);
  });

  test('of --proxy leads everywhere, whatever the environment says', async () => {
    const { gateway } = await tcpScene(echo);
    const proxy = await startConnectProxy();
    const command = new Command(
      ['forward', gateway.url('/tcp'), '--proxy', `http://127.0.0.1:${proxy.port}`],
      { env: { HTTP_PROXY: 'http://127.0.0.1:1', NO_PROXY: '*' } },
    );
    expect(await ask(command)).toBe('hello');
    expect(proxy.asked).toMatchObject([{ place: `127.0.0.1:${gateway.port}` }]);
  });

  test('may speak TLS itself', async () => {
    const { url, ca, folder } = await secureScene();
    const proxy = await startConnectProxy({ tls: gate });
    const env = { HTTPS_PROXY: `https://localhost:${proxy.port}`, NODE_EXTRA_CA_CERTS: `${folder}/ca.pem` };
    const command = new Process(['forward', url(), ...ca], env);
    const port = Number(/:(\d+) -> /.exec(await command.line(/ -> /))?.[1]);
    const client = dial(port);
    client.end('hello');
    expect(await text(client)).toBe('hello');
    expect(proxy.asked).toHaveLength(1);
  });

  test.each([
    [407, /: the proxy 127\.0\.0\.1:\d+ wants a name and password, or others \(407\): write http:\/\/NAME/],
    [403, /: the proxy \S+ does not let anybody through to gate\.test:\d+ \(403\); ask who runs it/],
    [502, /: the proxy \S+ does not reach gate\.test:\d+ \(502\)/],
  ])('that answers %d is told of, and its password is not', async (status, said) => {
    const { url } = await secureScene();
    const proxy = await startConnectProxy({ status });
    const env = { HTTPS_PROXY: `http://me:secret@127.0.0.1:${proxy.port}` };
    const command = new Command(['forward', url()], { env });
    expect(await ask(command)).toBe('ECONNRESET');
    expect(command.err).toMatch(said);
    expect(command.err).not.toContain('secret');
    await eventually(() => proxy.open === 0);
  });

  test('that is not there is told of', async () => {
    const { url } = await secureScene();
    const port = await freePort();
    const command = new Command(['forward', url(), '--proxy', `http://127.0.0.1:${port}`]);
    expect(await ask(command)).toBe('ECONNRESET');
    expect(command.err).toContain(`the proxy 127.0.0.1:${port} is not reached: nothing listens there`);
  });

  test('that says nothing is left when the program leaves', async () => {
    const { url } = await secureScene();
    const proxy = await startConnectProxy({ status: 'silence' });
    const command = new Command(['forward', url(), '--proxy', `http://127.0.0.1:${proxy.port}`]);
    const client = dial((await command.ports())[0] ?? 0);
    await eventually(() => proxy.asked.length === 1);
    client.resetAndDestroy();
    await eventually(() => proxy.open === 0);
  });

  test.each([
    [['--proxy', 'socks5://a:1'], {}, /Expected the URL of an HTTP proxy/],
    [
      [],
      { HTTPS_PROXY: 'socks5://me:secret@a:1' },
      /^sallyport: HTTPS_PROXY is not the URL of an HTTP proxy/,
    ],
  ])('that is none is bad usage (%j, %j)', async (more, env, said) => {
    const { code, err } = await sallyport(['forward', 'wss://gate.test/', ...more], env);
    expect([code, err]).toEqual([2, expect.stringMatching(said)]);
    expect(err).not.toContain('secret');
  });
});

describe('which proxy', () => {
  type Row = [string, Record<string, string>, string | undefined];
  const all = { HTTPS_PROXY: 'http://s:1', HTTP_PROXY: 'p:2' };
  test.each<Row>([
    ['wss://a.example/x', all, 'http://s:1/'],
    ['ws://a.example/x', all, 'http://p:2/'],
    ['ws://a.example/x', { ALL_PROXY: 'http://a:3' }, 'http://a:3/'],
    ['wss://a.example/x', {}, undefined],
    ['wss://a.example/x', { HTTPS_PROXY: '' }, undefined],
    ['wss://localhost/x', all, undefined],
    ['wss://127.0.0.9/x', all, undefined],
    ['wss://[::1]/x', all, undefined],
    ...[
      '*',
      'a.example',
      'A.Example',
      '.example',
      'example',
      '*.example',
      'b, a.example',
      'b a.example',
      'a.example:443',
    ].map((NO_PROXY): Row => ['wss://a.example/x', { ...all, NO_PROXY }, undefined]),
    ...['xample', 'a.example:8443', 'b.a.example', '10.0.0.0/8', ',', ':443'].map(
      (NO_PROXY): Row => ['wss://a.example/x', { ...all, NO_PROXY }, 'http://s:1/'],
    ),
    ['wss://10.1.2.3/x', { ...all, NO_PROXY: '10.0.0.0/8' }, undefined],
    ['wss://10.1.2.3/x', { ...all, NO_PROXY: '10.1.2.3' }, undefined],
    ['wss://10.1.2.3:8443/x', { ...all, NO_PROXY: '10.1.2.3:8443' }, undefined],
    ['wss://10.1.2.3/x', { ...all, NO_PROXY: '2.3' }, 'http://s:1/'],
    ['wss://10.1.2.3/x', { ...all, NO_PROXY: '10.0.0.0/99' }, 'http://s:1/'],
    ['wss://[2001:db8::7]/x', { ...all, no_proxy: '2001:db8::/32' }, undefined],
    ['wss://[2001:db8::7]/x', { ...all, no_proxy: '[2001:db8::7]:443' }, undefined],
    ['wss://[2001:db8::7]/x', { ...all, no_proxy: '2001:db8::8' }, 'http://s:1/'],
  ])('leads to %s with %j: %s', (url, env, expected) => {
    expect(proxyChooser(undefined, env)(url)?.href).toBe(expected);
  });
});

describe('a certificate', () => {
  test('of the command is shown to a gateway that asks for one, and read again', async () => {
    const { url, ca, folder } = await secureScene(await askingForOne());
    const { files, write } = await writePair(folder, 'me', await makeCertificate({ dns: ['me'] }, authority));
    const command = new Command([
      'forward',
      url('localhost'),
      ...ca,
      '--cert',
      files.cert,
      '--key',
      files.key,
    ]);
    expect(await ask(command)).toBe('hello');
    await write(await makeCertificate({ dns: ['me'] }, await makeAuthority('a stranger')));
    expect(await ask(command)).toBe('ECONNRESET');
    expect(command.err).toMatch(/localhost:\d+: it has hung up; it may not accept the certificate of --cert/);
  });

  test('that is asked for, and missing, is told of', async () => {
    const { url, ca } = await secureScene(await askingForOne());
    const command = new Command(['forward', url('localhost'), ...ca]);
    expect(await ask(command)).toBe('ECONNRESET');
    expect(command.err).toMatch(/localhost:\d+: it asks for a certificate: name yours by --cert and --key/);
  });

  test('of a gateway whose authority is unknown is told of', async () => {
    const { url } = await secureScene();
    const command = new Command(['forward', url('localhost')]);
    expect(await ask(command)).toBe('ECONNRESET');
    expect(command.err).toMatch(
      /no authority that is believed has signed its certificate: name a file .* --ca/,
    );
  });

  test.each([
    [['--cert', 'a'], /--cert and --key belong together/],
    [['--key', 'a'], /--cert and --key belong together/],
    [['--cert', '/nowhere', '--key', '/nowhere'], /\/nowhere/],
  ])('%j is bad usage', async (more, said) => {
    const { code, err } = await sallyport(['stdio', 'wss://a/', ...more]);
    expect(code).toBeGreaterThan(0);
    expect(err).toMatch(said);
    expect(err).not.toMatch(/^ +at /m);
  });

  /** What a listener says that takes nobody without a certificate of the authority. */
  async function askingForOne(): Promise<string> {
    const folder = await folderWith({ 'clients.pem': authority.cert });
    return `, clientCa: "${folder}/clients.pem"`;
  }
});

describe('a token that would go in plain text', () => {
  const warning = 'the token goes to gate.test in plain text, for everybody on the way to read: write wss://';

  test.each([
    ['forward', ['ws://gate.test/a', 'ws://gate.test/b']],
    ['stdio', ['ws://gate.test/a']],
    ['socks', ['-D', '0', 'ws://gate.test/{host}:{port}']],
  ])('is warned of once by %s', async (name, args) => {
    const env = { SALLYPORT_TOKEN: freshToken(), HTTP_PROXY: `http://127.0.0.1:${await freePort()}` };
    const command = new Command([name, ...args], { env });
    if (name !== 'stdio') await command.ports();
    await command.end();
    expect(command.err.split('\n').filter((line) => line === `sallyport: ${warning}`)).toHaveLength(1);
  });

  test.each([
    ['ws://127.0.0.1:1/', 'a token'],
    ['ws://[::1]:1/', 'a token'],
    ['ws://localhost:1/', 'a token'],
    ['wss://gate.test/', 'a token'],
    ['ws://gate.test/', ''],
  ])('is no matter at %s with %j', async (url, token) => {
    const command = new Command(['forward', url], { env: { SALLYPORT_TOKEN: token && freshToken() } });
    await command.ports();
    await command.end();
    expect(command.err).toBe('');
  });
});

test('a token file that is not there yet is told of at once', async () => {
  const folder = await folderWith({ token: freshToken() });
  const said = async (file: string) => {
    const command = new Command(['forward', 'wss://gate.test/', '--token-file', join(folder, file)]);
    await command.ports();
    await command.end();
    return command.err;
  };
  expect(await said('token')).toBe('');
  expect(await said('tokne')).toMatch(
    /^sallyport: --token-file: there is no \S+tokne yet: connections fail until there is$/m,
  );
});
