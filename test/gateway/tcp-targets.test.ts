import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TCP_RESUME_PROTOCOL } from '../../src/tcp-protocol/types.ts';
import { metric } from '../support/census.ts';
import { type DnsAnswer, startDns } from '../support/dns.ts';
import { startUpstream } from '../support/faulty.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway } from '../support/gateway.ts';
import { certificate } from '../support/listener.ts';
import { eventually } from '../support/patience.ts';
import { BINARY, handshake, open, say } from '../support/raw.ts';
import { portOf } from '../support/servers.ts';
import { listenAt } from '../support/sockets.ts';
import { RawClient } from '../support/tcp-v1.ts';
import { bearer } from '../support/tcp-v1-scene.ts';

/** TCP services that clients name, through a whole gateway: what is reached, refused, written down and counted. */

const FREE = 'tcp: "{path.host}:{path.port}"';

interface Options {
  readonly path?: string;
  readonly auth?: string;
  readonly rest?: string;
  readonly dnsServers?: readonly string[];
}

async function gatewayTo(upstream: string, options: Options = {}) {
  const { path = '/to/{host}:{port}', auth = 'none', rest = '', dnsServers } = options;
  const gateway = await startGateway(
    `${TOKEN_ISSUER}
routes:
  - { name: r, match: { path: "${path}" }, auth: ${auth}, ${rest} upstream: { ${upstream} } }`,
    TOKEN_ENV,
    { ...(dnsServers && { dnsServers }) },
  );
  onTestFinished(() => gateway.close());
  return gateway;
}

/** A service that sends back what it gets. */
async function echo() {
  const service = await startUpstream(({ socket }) => void socket.on('data', (chunk) => socket.write(chunk)));
  onTestFinished(() => service.close());
  return service;
}

async function dns(answer: (name: string, type: 'A' | 'AAAA') => DnsAnswer) {
  const server = await startDns(answer);
  onTestFinished(() => server.close());
  return server;
}

describe('a target that the client names by host and port', () => {
  test('is reached, and the log says what was asked, by which rule, and what was dialled', async () => {
    const service = await echo();
    const { address } = await dns(() => ({ ttl: 60, addresses: ['127.0.0.1'] }));
    const rule = `*.db.test:${service.port}`;
    const gateway = await gatewayTo(`${FREE}, allow: { host: "${rule}", resolvesTo: 127.0.0.0/8 }`, {
      dnsServers: [address],
    });
    const asked = `a.db.test:${service.port}`;
    const client = await open(gateway.port, `/to/A.DB.test.:${service.port}`);
    client.send(BINARY, 'hello');
    expect((await client.message()).toString()).toBe('hello');
    client.sendClose(1000);
    for (const msg of ['session opened', 'session ended'])
      expect(await gateway.logged((line) => line.msg === msg)).toMatchObject({
        asked,
        rule,
        target: `${asked}/127.0.0.1`,
      });
    await eventually(() => gateway.gateway.connections === 0);
    const metrics = await gateway.metrics();
    const bytes = (direction: string) =>
      metric(metrics, 'sallyport_target_bytes_total', { route: 'r', target: rule, direction });
    expect([bytes('up'), bytes('down')]).toEqual([5, 5]);
    expect(metric(metrics, 'sallyport_upstream_dials_total', { target: rule, outcome: 'connected' })).toBe(1);
    expect(metrics).not.toContain('a.db.test');
  });

  test('must prove the name that was asked for where it speaks TLS', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-tls-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { cert, key } = await certificate(folder, ['a.db.test']);
    const server = createTlsServer({ cert: await readFile(cert), key: await readFile(key) }, (socket) =>
      socket.on('error', () => {}).pipe(socket),
    );
    await listenAt({ port: 0, host: '127.0.0.1' }, server);
    const port = portOf(server);
    const { address } = await dns(() => ({ ttl: 60, addresses: ['127.0.0.1'] }));
    const gateway = await gatewayTo(
      `${FREE}, tls: { ca: "${cert}" }, allow: { host: "*.db.test:${port}", resolvesTo: 127.0.0.1 }`,
      { dnsServers: [address] },
    );
    using client = await open(gateway.port, `/to/a.db.test:${port}`);
    client.send(BINARY, 'hello');
    expect((await client.message()).toString()).toBe('hello');
    using other = await say(gateway.port, handshake(`/to/b.db.test:${port}`));
    expect((await other.answer()).status).toBe(502);
  });

  test('hears from a PROXY header whom a connection is for', async () => {
    const service = await startUpstream();
    onTestFinished(() => service.close());
    const gateway = await gatewayTo(`${FREE}, proxyProtocol: v1, allow: "127.0.0.1:*"`);
    using _client = await open(gateway.port, `/to/127.0.0.1:${service.port}`);
    const wire = await service.wire();
    await wire.until(() => wire.received > 0, 'a header');
    expect(wire.received).toBeGreaterThan(20);
  });

  test('is told to clients of sallyport.tcp.v1 in their own words, and refused to them as FAILED', async () => {
    const service = await echo();
    const gateway = await gatewayTo(`${FREE}, allow: "127.0.0.1:${service.port}"`);
    const client = await RawClient.open(gateway.url(`/to/127.0.0.1:${service.port}`));
    await eventually(() => client.has('OPENED'));
    expect(client.messages[0]).toMatchObject({ type: 'OPENED', peer: `127.0.0.1:${service.port}` });
    client.socket.terminate();
    const refused = await RawClient.open(gateway.url('/to/127.0.0.2:1'));
    await eventually(() => refused.closed !== undefined);
    expect(refused.messages).toMatchObject([
      {
        type: 'FAILED',
        code: 3003,
        error: 'destination_ip_prohibited',
        text: 'This target is not allowed, or there is none of that name.',
      },
    ]);
  });

  test.each([
    [
      'a name behind other names that leads here',
      { aliases: ['b.test', 'c.test'], addresses: ['127.0.0.1'] },
    ],
    ['a name with one address that is not allowed', { addresses: ['93.184.216.34', '10.0.0.1'] }],
  ])('%s is refused without a hint, and the log says all', async (_, answer) => {
    const { address } = await dns((_name, type) => (type === 'A' ? { ttl: 60, ...answer } : 'nxdomain'));
    const gateway = await gatewayTo(`${FREE}, allow: "*.db.test:*"`, { dnsServers: [address] });
    using client = await say(gateway.port, handshake('/to/a.db.test:5432'));
    const { status, body } = await client.answer();
    expect([status, body.trim()]).toEqual([
      403,
      'TARGET_REFUSED: This target is not allowed, or there is none of that name.',
    ]);
    expect(await gateway.logged(({ msg }) => msg === 'upgrade refused')).toMatchObject({
      error: 'TARGET_REFUSED',
      asked: 'a.db.test:5432',
      rule: '*.db.test:*',
      detail: expect.stringMatching(/^(127.0.0.1 is loopback|10.0.0.1 is private)/),
    });
  });

  test('is told in a close code where the route says so', async () => {
    const gateway = await gatewayTo(`${FREE}, allow: "a:1"`, { rest: 'refuse: close,' });
    using client = await open(gateway.port, '/to/127.0.0.1:1');
    expect(await client.ended()).toEqual({
      code: 3003,
      reason: 'This target is not allowed, or there is none of that name.',
    });
  });

  test('is refused as malformed with what is expected, whatever bytes it is of', async () => {
    const gateway = await gatewayTo(`${FREE}, allow: "*:*"`);
    for (const target of ['127.1:1', '%30x7f.1:1', '[::1%25lo]:1', 'a%20b:1', 'a:99999']) {
      using client = await say(gateway.port, handshake(`/to/${target}`));
      const { status, body } = await client.answer();
      expect([target, status, body]).toEqual([
        target,
        400,
        expect.stringContaining('TARGET_MALFORMED: The target is'),
      ]);
    }
    for (const line of gateway.log) expect(JSON.stringify(line)).not.toMatch(/[\r\n]/);
  });

  test('is narrowed down by a claim, and its subject stands in the log', async () => {
    const service = await echo();
    const gateway = await gatewayTo(`${FREE}, allow: "127.0.0.1:*", allowClaim: may`, {
      auth: '{ issuer: main }',
    });
    const visit = async (may: unknown) => {
      const authorization = `Bearer ${freshToken({ sub: 'ada', may })}`;
      const client = await say(
        gateway.port,
        handshake(`/to/127.0.0.1:${service.port}`, { Authorization: authorization }),
      );
      const { status } = await client.answer();
      client.socket.destroy();
      return status;
    };
    expect(await visit(`127.0.0.0/8:${service.port}`)).toBe(101);
    expect(await visit(['127.0.0.1:1'])).toBe(403);
    const refusal = await gateway.logged(({ msg }) => msg === 'upgrade refused');
    expect(refusal).toMatchObject({
      subject: 'ada',
      asked: `127.0.0.1:${service.port}`,
      rule: '127.0.0.1:*',
      detail: 'the claim may does not allow it',
    });
    expect(service.wires).toHaveLength(1);
  });
});

describe('a target that a claim has named', () => {
  const token = (desk: string) => freshToken({ desk });

  test('stays while the connection does: a new token that names another ends it', async () => {
    const [one, two] = [await echo(), await echo()];
    const table = `targets: { one: "127.0.0.1:${one.port}", two: "127.0.0.1:${two.port}" }`;
    const gateway = await gatewayTo(`tcp: "{claims.desk}", ${table}`, {
      path: '/',
      auth: '{ issuer: main }',
    });
    const client = await RawClient.open(gateway.url('/'), bearer(token('one')));
    client.send({ type: 'AUTH', accessToken: token('one') });
    await client.the('AUTH_OK');
    client.send({ type: 'AUTH', accessToken: token('two') });
    expect(await client.the('RESET')).toMatchObject({ code: 3003 });
    expect([one.wires.length, two.wires.length]).toEqual([1, 0]);
  });

  test('is the one of a connection that goes on, in the log, too', async () => {
    const service = await echo();
    const rule = `127.0.0.1:${service.port}`;
    const gateway = await gatewayTo(`tcp: "{claims.desk}", allow: "${rule}", resume: { for: 10s }`, {
      path: '/',
      auth: '{ issuer: main }',
    });
    const client = await RawClient.open(gateway.url('/'), bearer(token(rule)));
    const { resumeId } = await client.the('OPENED');
    client.socket.terminate();
    await gateway.logged(({ msg }) => msg === 'connection ended');
    const again = await RawClient.open(gateway.url('/'), {
      ...bearer(token(rule)),
      protocols: [TCP_RESUME_PROTOCOL],
    });
    again.send({ type: 'RESUME', resumeId, offset: 0, credit: 1_000 });
    await again.the('RESUMED');
    again.socket.close(1000);
    const ended = await gateway.logged(({ msg, resumed }) => msg === 'session ended' && resumed === true);
    expect(ended).toMatchObject({ asked: rule, rule, target: rule });
  });
});

describe('a target of a table', () => {
  test('is found by a token in a file, which stands in no line and in no metric', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-tokens-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const service = await echo();
    await writeFile(join(folder, 'desks.txt'), `s3cret-desk: 127.0.0.1:${service.port}\n`);
    const gateway = await gatewayTo(`tcp: "{query.token}", targets: "file:${folder}/desks.txt"`, {
      path: '/websockify',
    });
    const client = await open(gateway.port, '/websockify?token=s3cret-desk');
    client.send(BINARY, 'RFB');
    expect((await client.message()).toString()).toBe('RFB');
    client.sendClose(1000);
    using other = await say(gateway.port, handshake('/websockify?token=s3cret-desks'));
    expect((await other.answer()).status).toBe(403);
    using none = await say(gateway.port, handshake('/websockify'));
    expect((await none.answer()).body).toContain('?token= is expected.');
    const target = `127.0.0.1:${service.port}`;
    expect(await gateway.logged(({ msg }) => msg === 'session ended')).toMatchObject({ target });
    const metrics = await gateway.metrics();
    expect(metric(metrics, 'sallyport_target_bytes_total', { target, direction: 'down' })).toBe(3);
    expect(JSON.stringify(gateway.log) + metrics).not.toContain('s3cret');
  });

  test('is found by a name that has changed hands when its file has', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-tokens-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const [one, two] = [await echo(), await echo()];
    await writeFile(join(folder, 'a'), `desk: 127.0.0.1:${one.port}\n`);
    const gateway = await gatewayTo(`tcp: "{path.name}", targets: "file:${folder}"`, { path: '/{name}' });
    (await open(gateway.port, '/desk')).socket.destroy();
    await rm(join(folder, 'a'));
    await writeFile(join(folder, 'b'), `desk: 127.0.0.1:${two.port}\n`);
    await gateway.gateway.reload();
    const client = await open(gateway.port, '/desk');
    expect(await gateway.logged(({ target }) => target === `127.0.0.1:${two.port}`)).toMatchObject({
      rule: 'desk',
    });
    client.socket.destroy();
    expect(await gateway.metrics()).toContain(
      'sallyport_file_reloads_total{kind="targets",outcome="renewed"} 1',
    );
  });
});

test('a fixed service is not mistaken for another that Neon’s driver asks for', async () => {
  const service = await echo();
  const gateway = await gatewayTo(`tcp: "127.0.0.1:${service.port}"`, { path: '/v2' });
  using same = await open(gateway.port, `/v2?address=127.0.0.1:${service.port}`);
  using other = await say(gateway.port, handshake('/v2?address=ep-1.neon.tech:5432'));
  const { status, body } = await other.answer();
  expect([status, body]).toEqual([400, expect.stringContaining('?address= names another')]);
  expect(same.isOpen).toBe(true);
});
