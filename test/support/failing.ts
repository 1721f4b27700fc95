import { deadPort, startEcho, startUpstream, startWebSocket, type Upstream } from './faulty.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import type { Wire } from './raw.ts';
import { ISSUER, SECRET } from './tokens.ts';

/** A gateway with one route for each way to fail. */
export async function startFailing(): Promise<{
  gateway: TestGateway;
  echo: Upstream;
  stop: () => Promise<void>;
}> {
  const echo = await startEcho();
  const upstreams = [echo];
  const add = async (starting: Promise<Upstream>) => {
    const upstream = await starting;
    upstreams.push(upstream);
    return upstream.port;
  };

  const ports = {
    echo: echo.port,
    dead: await deadPort(),
    hasty: await add(startUpstream((wire) => wire.socket.end())),
    wrong: await add(
      startUpstream((wire) =>
        wire.write('HTTP/1.1 101 Well\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n'),
      ),
    ),
    silent: await add(startUpstream(beSilent)),
    mute: await add(startWebSocket(beSilent)),
    lossy: await add(startWebSocket((wire) => wire.socket.once('data', () => wire.socket.resetAndDestroy()))),
    forbidding: await add(
      startUpstream((wire) => wire.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')),
    ),
    deaf: await add(startWebSocket((wire) => wire.socket.pause())),
  };
  const gateway = await startGateway(configOf(ports), { SECRET });
  async function stop(): Promise<void> {
    await gateway.close();
    for (const upstream of upstreams) await upstream.close();
  }
  return { gateway, echo, stop };
}

function beSilent(wire: Wire): void {
  wire.polite = false;
}

/** Refusals twice: under /http they are statuses, under /close they are close codes. */
function configOf(ports: Record<string, number>): string {
  const at = (name: string) => `upstream: { websocket: "ws://127.0.0.1:${ports[name]}" }`;
  const auth =
    'auth: { issuer: main, token: [header, subprotocol, query:access_token], require: { scope: chat } }';
  const refusals = {
    token: `${auth}, ${at('echo')}`,
    ticket: `auth: { issuer: main, token: [ticket] }, ${at('echo')}`,
    keys: `auth: { issuer: away }, ${at('echo')}`,
    origin: `auth: none, origins: ["https://app.test"], ${at('echo')}`,
    address: `auth: none, addresses: { deny: [127.0.0.0/8] }, ${at('echo')}`,
    rate: `auth: none, limits: { upgrades: { rate: 2/h, burst: 1, per: route } }, ${at('echo')}`,
    places: `auth: none, limits: { connections: { max: 1, per: address } }, ${at('echo')}`,
    dead: `auth: none, ${at('dead')}`,
    hasty: `auth: none, ${at('hasty')}`,
    wrong: `auth: none, ${at('wrong')}`,
    silent: `auth: none, timeouts: { handshake: 100ms }, ${at('silent')}`,
    dead2: `auth: none, upstream: { websocket: ["ws://127.0.0.1:${ports.dead}", "ws://127.0.0.1:${ports.dead}/b"] }`,
    open: `auth: none, ${at('echo')}`,
    free: 'auth: none, upstream: { tcp: "{query.address}", allow: "db:1" }',
    fixed: `auth: none, upstream: { tcp: "127.0.0.1:${ports.dead}" }`,
    protocol: `auth: none, upstream: { tcp: "127.0.0.1:${ports.silent}" }`,
  };
  const poll = `target: "http://127.0.0.1:${ports.dead}", poll: { path: /p }`;
  const sessions = {
    metered: `auth: none, limits: { messages: { rate: 1/h, per: connection, over: close } }, ${at('echo')}`,
    small: `auth: none, limits: { messageSize: 1KiB }, ${at('echo')}`,
    lossy: `auth: none, ${at('lossy')}`,
    mute: `auth: none, timeouts: { close: 50ms }, keepalive: { every: 50ms, within: 300ms }, ${at('mute')}`,
    kept: `auth: none, timeouts: { close: 50ms }, keepalive: { every: 50ms, within: 300ms }, ${at('echo')}`,
    deaf: `auth: none, timeouts: { stall: 100ms, close: 100ms }, ${at('deaf')}`,
    idle: `auth: none, timeouts: { idle: 50ms }, ${at('echo')}`,
    old: `auth: none, timeouts: { lifetime: 50ms }, ${at('echo')}`,
    forbidding: `auth: none, upstream: { poll: { target: "http://127.0.0.1:${ports.forbidding}", poll: { path: /p } } }`,
    outage: `auth: none, upstream: { poll: { ${poll}, outage: 50ms } }`,
    tcp: `auth: none, timeouts: { close: 50ms }, upstream: { tcp: "127.0.0.1:${ports.silent}" }`,
  };
  const plain = `auth: none, upstream: { http: "http://127.0.0.1:${ports.dead}", upgrades: off }`;
  return [
    'issuers:',
    `  main: { issuer: "${ISSUER}", audience: realtime, algorithms: [HS256], secret: "\${SECRET}", clockTolerance: 0s }`,
    `  away: { issuer: "${ISSUER}", audience: realtime, algorithms: [ES256], jwks: "http://127.0.0.1:${ports.dead}/" }`,
    'routes:',
    ...Object.entries(refusals).flatMap(([name, rest]) => [
      `  - { name: http-${name}, match: { path: /http/${name} }, ${rest} }`,
      `  - { name: close-${name}, match: { path: /close/${name} }, refuse: close, ${rest} }`,
    ]),
    `  - { name: plain, match: { path: /plain }, ${plain} }`,
    ...Object.entries(sessions).map(
      ([name, rest]) => `  - { name: ${name}, match: { path: /${name} }, ${rest} }`,
    ),
  ].join('\n');
}
