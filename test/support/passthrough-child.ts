/** A process of its own: passes one request through to the upstream in argv, then tells what came of it and what timers are left. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createPassthrough } from '../../src/passthrough/index.ts';
import { gatewayRequest } from './observe.ts';
import { httpRoute } from './route.ts';

const passthrough = createPassthrough(httpRoute(process.argv[2] as string));
const outcomes: string[] = [];
const server = createServer(async function onRequest(message, response) {
  await passthrough.serve(gatewayRequest(), { claims: {}, releases: [] }, message, response).then(
    ({ status }) => outcomes.push(String(status)),
    ({ code }) => outcomes.push(code),
  );
  if (!response.headersSent) response.writeHead(500);
  response.end();
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).arrayBuffer();
passthrough.close();
server.close();
await once(server, 'close');
const timers = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout');
console.log(JSON.stringify({ outcomes, timers: timers.length }));
process.exit();
