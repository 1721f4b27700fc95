import { once } from 'node:events';
import { createServer as createWebServer } from 'node:http';
import { createServer } from 'node:net';
import { onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import { TOKEN_ENV, TOKEN_ISSUER } from './fresh.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { portOf, startTap } from './servers.ts';
import { encode } from './tokens.ts';

/** The forms of a token, by name, that stand in a text: whole, its parts, escaped, encoded. */
export function leaksOf(token: string, text: string): string[] {
  const [, payload = '', signature = ''] = token.split('.');
  const forms = {
    whole: token,
    payload,
    signature,
    base64url: encode(token),
    base64: Buffer.from(token).toString('base64'),
    hexadecimal: Buffer.from(token).toString('hex'),
  };
  return Object.entries(forms).flatMap(([name, form]) => (form !== '' && text.includes(form) ? [name] : []));
}

/** A gateway with a route to each kind of upstream, and to upstreams that hang up. */
export interface Scene {
  readonly gateway: TestGateway;
  /** What reached the upstreams so far. */
  heard(): string;
}

export const UPGRADED = ['websocket', 'tcp', 'poll', 'lost-websocket'] as const;
export const PLAIN = ['http', 'lost-http'] as const;

/** Routes are called like their kinds. `auth` is added to the `auth` of each. */
export async function startScene(auth = ''): Promise<Scene> {
  const taps = await Promise.all([startEcho(), startLines(), startWeb(), startHangUp()].map(tapped));
  const [echo, lines, web, lost] = taps.map((tap) => `127.0.0.1:${tap.port}`);
  const upstreams = {
    websocket: `{ websocket: "ws://${echo}" }`,
    tcp: `{ tcp: "${lines}", text: true }`,
    poll: `{ poll: { target: "http://${web}", poll: { path: "/poll?{query}" }, send: { path: /send } } }`,
    http: `{ http: "http://${web}" }`,
    'lost-websocket': `{ websocket: "ws://${lost}" }`,
    'lost-http': `{ http: "http://${lost}" }`,
  };
  const sources = 'token: [subprotocol, header, "cookie:session", "query:access_token"]';
  const routes = Object.entries(upstreams).map(
    ([name, upstream]) => `
  - name: ${name}
    match: { path: /${name} }
    origins: ["http://app.test"]
    auth: { issuer: main, ${sources}, forward: { x-user: sub } ${auth} }
    upstream: ${upstream}`,
  );
  const gateway = await startGateway(`${TOKEN_ISSUER}\nroutes:${routes.join('')}`, TOKEN_ENV);
  onTestFinished(() => gateway.close());
  return { gateway, heard: () => taps.map((tap) => tap.heard()).join('\n') };
}

async function tapped(port: Promise<number>) {
  const tap = await startTap(await port);
  onTestFinished(() => tap.close());
  return tap;
}

async function startEcho(): Promise<number> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as { port: number }).port;
}

async function startLines(): Promise<number> {
  return opened(createServer((socket) => socket.on('error', () => {}).pipe(socket)));
}

async function startHangUp(): Promise<number> {
  return opened(createServer((socket) => socket.on('error', () => {}).once('data', () => socket.destroy())));
}

/** Takes what is posted, holds polls for ever, and answers everything else with its path. */
async function startWeb(): Promise<number> {
  return opened(
    createWebServer((request, response) => {
      if (!request.url?.startsWith('/poll')) response.end(request.url);
    }),
  );
}

async function opened(server: ReturnType<typeof createServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  return portOf(server);
}
