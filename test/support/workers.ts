import { expect, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { cpuSeconds } from '../../bench/measure/proc.ts';
import { folderWith, Process } from './cli.ts';
import { startEcho } from './faulty.ts';
import { eventually } from './patience.ts';
import { freePort } from './ports.ts';
import { enterAs } from './subjects.ts';
import { ISSUER, SECRET } from './tokens.ts';

/** A gateway of several processes in a process of its own. */

const ADMIN = '0123456789abcdef0123456789abcdef';
const AUTHORIZED = { authorization: `Bearer ${ADMIN}` };

export interface Serving {
  readonly daemon: Process;
  readonly port: number;
  /** Asks the admin listener. */
  ask(path: string, method?: string, body?: string): Promise<Response>;
  metrics(): Promise<string>;
  /** Worker processes by number, those that have listened last. */
  workers(): Map<number, number>;
  lines(): Record<string, unknown>[];
}

/** Two workers with one route of these limits, unless `more` says otherwise. */
export async function startWorkers(
  limits = '',
  more = 'workers: 2',
  auth = '',
  issuer = '',
): Promise<Serving> {
  const echo = await startEcho();
  onTestFinished(() => echo.close());
  return serve(`
drain: 500ms
${more}
issuers:
  main: { issuer: "${ISSUER}", audience: realtime, algorithms: [HS256], secret: "\${SECRET}"${issuer} }
routes:
  - name: chat
    match: { path: /chat }
    origins: [https://a.test]
    auth: { issuer: main${auth} }
    limits: { ${limits} }
    timeouts: { close: 500ms }
    upstream: { websocket: "ws://127.0.0.1:${echo.port}" }`);
}

/** What serves this configuration, to which listeners are added. */
export async function serve(text: string): Promise<Serving> {
  const admin = await freePort();
  const listeners = `listeners: [{ host: 127.0.0.1, port: 0 }]\nadmin: { port: ${admin}, secret: "\${ADMIN}" }`;
  const folder = await folderWith({ 'gate.yaml': `${listeners}\n${text}` });
  const daemon = new Process(['serve', `${folder}/gate.yaml`], { SECRET, ADMIN });
  return serving(daemon, admin);
}

async function serving(daemon: Process, admin: number): Promise<Serving> {
  const { port } = JSON.parse(await daemon.line(/"listening"/));
  await resting(daemon.pid);
  const lines = () =>
    daemon.out
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const ask = (path: string, method = 'GET', body?: string) =>
    fetch(`http://127.0.0.1:${admin}${path}`, {
      method,
      headers: AUTHORIZED,
      ...(body !== undefined && { body }),
    });
  return {
    daemon,
    port,
    ask,
    lines,
    metrics: async () => (await ask('/metrics')).text(),
    workers: () =>
      new Map(
        lines()
          .filter(({ msg }) => msg === 'worker listens')
          .map(({ worker, pid }) => [worker as number, pid as number]),
      ),
  };
}

/** A look and the next, in ms: of each a process that loads its code takes its part. */
const LOOK_MS = 150;
const REST_MS = 20_000;

/** Resolves when this process and those it has started rest: the one to spare begins only behind the others. */
async function resting(pid: number): Promise<void> {
  let before = 0;
  async function isResting(): Promise<boolean> {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const now = cpuSeconds(pid);
    const used = now - before;
    before = now;
    return used <= 0.1 * (LOOK_MS / 1000);
  }
  await eventually(isResting, 'the workers, and the one to spare, have begun', REST_MS);
}

export function enter({ port }: Pick<Serving, 'port'>, subject = 'alice'): Promise<WebSocket | number> {
  return enterAs(subject, `ws://127.0.0.1:${port}/chat`);
}

export async function enterMany(gateway: Serving, count: number, subject?: string): Promise<WebSocket[]> {
  const open: WebSocket[] = [];
  for (let at = 0; at < count; at += 50) {
    const clients = Array.from({ length: Math.min(50, count - at) }, () => enter(gateway, subject));
    for (const client of await Promise.all(clients)) if (typeof client !== 'number') open.push(client);
  }
  return open;
}

/**
 * Resolves when as many have come in as of `sockets` have ended, and nobody more does. Who comes in stays: what a dead worker
 * held is free place by place, and an upgrade may still have been given to the dead.
 */
export async function expectFilledAgain(
  gateway: Serving,
  sockets: readonly WebSocket[],
  ms?: number,
): Promise<void> {
  const held = () => sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length;
  let came = 0;
  await eventually(
    async () => {
      came += (await enterMany(gateway, 5)).length;
      return held() + came >= sockets.length;
    },
    () => `${held()} are left of ${sockets.length}, and ${came} have come in`,
    ms,
  );
  came += (await enterMany(gateway, 10)).length;
  expect(held() + came).toBe(sockets.length);
}

/** How each has ended, when it has. */
export function endingsOf(sockets: readonly WebSocket[]): number[] {
  const codes: number[] = [];
  for (const socket of sockets) socket.on('close', (code) => codes.push(code));
  return codes;
}

export async function sessionsOf(
  gateway: Serving,
  query = '',
): Promise<{ sessions: { id: string; since: string }[]; open: number; next?: number }> {
  return (await (await gateway.ask(`/sessions${query}`)).json()) as Awaited<ReturnType<typeof sessionsOf>>;
}
