import { startGateway, type TestGateway } from './gateway.ts';
import { open, type Wire } from './raw.ts';
import {
  BRIDGES,
  type BridgeName,
  pollServices,
  type Service,
  tcpServices,
  webSocketServices,
} from './services.ts';
import { ISSUER, SECRET } from './tokens.ts';

/** Sessions through a whole gateway, on any bridge, with both of their peers in the test's hands. */

export interface Scene {
  readonly client: Wire;
  readonly service: Service;
  /** Resolves with the line of the log that tells how the session ended. */
  ended(): Promise<Record<string, unknown>>;
}

export interface Stage extends AsyncDisposable {
  readonly gateway: TestGateway;
  /** Opens a session on one of the routes. */
  play(bridge: BridgeName, route: RouteName, headers?: Record<string, string>): Promise<Scene>;
}

/** What sets a route apart; no other deadline is near. */
const ROUTES = {
  plain: 'timeouts: { stall: 1m, close: 1s }',
  small: 'timeouts: { stall: 1m, close: 1s }, limits: { messageSize: 100B, fragments: 4 }',
  metered:
    'timeouts: { stall: 1m, close: 1s }, limits: { messages: { rate: 2/h, per: connection, over: close } }',
  kept: 'timeouts: { stall: 1m, close: 1s }, keepalive: { every: 100ms, within: 500ms }',
  stalled: 'timeouts: { stall: 200ms, close: 1s }, keepalive: off',
  idle: 'timeouts: { stall: 1m, close: 1s, idle: 60ms }',
  old: 'timeouts: { stall: 1m, close: 1s, lifetime: 60ms }',
  expiring: 'timeouts: { stall: 1m, close: 1s }, auth: { issuer: main }',
  deaf: 'timeouts: { stall: 1m, close: 1m }, keepalive: { every: 100ms, within: 500ms }',
  slow: 'timeouts: { stall: 1m, close: 1s }, limits: { messages: { rate: 1/m, burst: 1, per: connection, over: throttle } }',
} as const;

export type RouteName = keyof typeof ROUTES;

/** Starts a service for each bridge, and a gateway with all routes on all bridges. */
export async function openStage(): Promise<Stage> {
  const services = {
    websocket: await webSocketServices(),
    tcp: await tcpServices(),
    poll: await pollServices(),
  };
  const lines = BRIDGES.flatMap((bridge) =>
    Object.entries(ROUTES).map(([route, rest]) => {
      const auth = rest.includes('auth:') ? '' : 'auth: none, ';
      const match = `match: { path: "/${bridge}/${route}/{n}" }`;
      const to = services[bridge].config
        .replaceAll('HOLD', route === 'kept' ? '100ms' : '1m')
        .replaceAll('SEND', route === 'stalled' ? '200ms' : '1m');
      return `  - { name: ${bridge}-${route}, ${match}, ${auth}${rest}, upstream: { ${to} } }`;
    }),
  );
  const issuer = `main: { issuer: "${ISSUER}", audience: realtime, algorithms: [HS256], secret: "\${SECRET}", clockTolerance: 0s }`;
  const gateway = await startGateway(`issuers:\n  ${issuer}\nroutes:\n${lines.join('\n')}`, { SECRET });
  let scenes = 0;
  let opened: Promise<unknown> = Promise.resolve();

  async function play(bridge: BridgeName, route: RouteName, headers = {}): Promise<Scene> {
    const n = String(scenes++);
    const path = `/${bridge}/${route}/${n}`;
    const { count } = services[bridge];
    const client = await open(gateway.port, path, headers);
    return {
      client,
      service: await services[bridge].service(n, count),
      ended: () => gateway.logged((line) => line.msg === 'session ended' && line.path === path),
    };
  }

  return {
    gateway,
    // One after the other, so that a service knows whose connection has come.
    play(bridge, route, headers) {
      const playing = opened.then(() => play(bridge, route, headers));
      opened = playing.catch(() => {});
      return playing;
    },
    async [Symbol.asyncDispose]() {
      await gateway.gateway.close({ deadlineMs: 0 });
      for (const bridge of BRIDGES) await services[bridge][Symbol.asyncDispose]();
    },
  };
}
