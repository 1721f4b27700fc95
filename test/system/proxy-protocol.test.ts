import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { folder, makeCertificate, writePair } from '../support/certificates.ts';
import { converse } from '../support/conversation.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startHaproxy } from '../support/haproxy.ts';
import { startNginxStream } from '../support/nginx.ts';
import { portOf } from '../support/servers.ts';
import { listenAt } from '../support/sockets.ts';

/** PROXY headers, as HAProxy and nginx from Debian read them and write them. */

/** Of a client that is not what dials. */
const CLIENT = '127.0.0.9';
const HOST = 'db.example.com';

/** HAProxy answers any request with what the header has told it. */
const TOLD = 'from %[src] to %[dst] for %[fc_pp_authority] as %[fc_pp_unique_id].';
const haproxyEar = (port: number) => `
frontend ear
  mode http
  bind 127.0.0.1:${port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "${TOLD}"`;

async function gatewayTo(port: number, version: string): Promise<TestGateway> {
  const upstream = `{ tcp: "127.0.0.1:${port}", proxyProtocol: ${version} }`;
  const gateway = await startGateway(
    `routes: [{ name: r, match: { host: ${HOST}, path: /r }, auth: none, upstream: ${upstream} }]`,
  );
  onTestFinished(() => gateway.close());
  return gateway;
}

async function clientOf(gateway: TestGateway) {
  const options = { localAddress: CLIENT, headers: { host: HOST } };
  return converse(gateway.url('/r'), ['binary'], options);
}

describe('our header in front of a connection to a TCP service is read', () => {
  test('by HAProxy, version 1', async () => {
    const { port } = await startHaproxy(haproxyEar);
    const client = await clientOf(await gatewayTo(port, 'v1'));
    client.webSocket.send(Buffer.from('GET / HTTP/1.0\r\n\r\n'));
    await client.hear(/from 127\.0\.0\.9 to 127\.0\.0\.1 for {2}as \./);
  });

  test('by HAProxy, version 2: who, which host and which connection', async () => {
    const { port } = await startHaproxy(haproxyEar);
    const gateway = await gatewayTo(port, 'v2');
    const client = await clientOf(gateway);
    client.webSocket.send(Buffer.from('GET / HTTP/1.0\r\n\r\n'));
    const [, id] = await client.hear(/from 127\.0\.0\.9 to 127\.0\.0\.1 for db\.example\.com as ([\w-]+)\./);
    expect(id).toMatch(/^[\w-]{20,}$/);
  });

  test.each(['v1', 'v2'])('by nginx, %s', async (version) => {
    const { port } = await startNginxStream('proxy_protocol', [
      'return "from $proxy_protocol_addr to $proxy_protocol_server_addr.";',
    ]);
    const client = await clientOf(await gatewayTo(port, version));
    await client.hear(/from 127\.0\.0\.9 to 127\.0\.0\.1\./);
  });
});

describe('a balancer that passes TLS on says in front of it whom a connection is for', () => {
  const FRONTS = {
    'HAProxy, version 1': (gateway: number) => startHaproxy(haproxyFront(gateway, 'send-proxy')),
    'HAProxy, version 2': (gateway: number) => startHaproxy(haproxyFront(gateway, 'send-proxy-v2')),
    nginx: (gateway: number) =>
      startNginxStream('', [`proxy_pass 127.0.0.1:${gateway};`, 'proxy_protocol on;']),
  };

  function haproxyFront(gateway: number, how: string) {
    return (port: number) => `
listen front
  mode tcp
  bind 127.0.0.1:${port}
  server gateway 127.0.0.1:${gateway} ${how}`;
  }

  test.each(Object.entries(FRONTS))(
    '%s: the log has the address of the client',
    async (_name, startFront) => {
      const { files } = await writePair(await folder(), 'gateway', await makeCertificate({ dns: [HOST] }));
      const echo = createServer((socket) => socket.on('error', () => {}).pipe(socket));
      await listenAt({ host: '127.0.0.1', port: 0 }, echo);
      const gateway = await startGateway(`
listeners: [{ host: 127.0.0.1, port: 0, proxyProtocol: true, tls: { certificates: [{ cert: ${files.cert}, key: ${files.key} }] } }]
trustedProxies: [127.0.0.1]
routes: [{ name: r, match: { path: /r }, auth: none, upstream: { tcp: "127.0.0.1:${portOf(echo)}" } }]`);
      onTestFinished(() => gateway.close());
      const { port } = await startFront(gateway.port);
      const options = { localAddress: CLIENT, ca: await readFile(files.cert), servername: HOST };
      const client = await converse(`wss://127.0.0.1:${port}/r`, ['binary'], options);
      client.webSocket.send(Buffer.from('hello'));
      await client.hear(/hello/);
      expect(await gateway.logged(({ msg }) => msg === 'session opened')).toMatchObject({
        clientAddress: CLIENT,
        tls: 'TLSv1.3',
      });
    },
  );
});
