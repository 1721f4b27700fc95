import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import httpProxy from 'http-proxy';
import { createGateway, parseConfig } from '../src/index.ts';

/** The servers of a bench, one a process: `servers.ts ROLE UPSTREAM_PORT` sends its port to the parent. */

const [role, upstream] = process.argv.slice(2);
const BODY = Buffer.alloc(1024, 'x');

function listen(server: ReturnType<typeof createServer>): void {
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
}

function service(): void {
  listen(createServer((_request, response) => response.end(BODY)));
}

function bareProxy(): void {
  const proxy = httpProxy.createProxyServer({ target: `http://127.0.0.1:${upstream}` });
  proxy.on('error', (error) => console.error(error));
  listen(createServer((request, response) => proxy.web(request, response)));
}

async function sallyport(): Promise<void> {
  const { config } = parseConfig(`
listeners: [{ host: 127.0.0.1, port: 0 }]
issuers:
  bench: { issuer: bench, audience: bench, algorithms: [HS256], secret: a-secret-for-a-bench-of-32-bytes! }
routes:
  - { name: locked, match: { path: /locked }, auth: { issuer: bench }, upstream: { tcp: "127.0.0.1:${upstream}" } }
  - name: limited
    match: { path: /limited }
    auth: none
    limits: { upgrades: { rate: 1/h, per: route } }
    upstream: { tcp: "127.0.0.1:1" }
  - { name: site, match: { path: /* }, auth: none, upstream: { http: "http://127.0.0.1:${upstream}" } }
`);
  const gateway = await createGateway(config);
  process.send?.(gateway.addresses[0]?.port);
}

if (role === 'service') service();
else if (role === 'http-proxy') bareProxy();
else await sallyport();
