import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, listening } from '../measure/processes.ts';
import type { Bed, Kind, Peer, RunningPeer } from '../types.ts';
import { byPath } from './common.ts';
import { missingRedis, redisVersion, startRedis } from './redis.ts';

const ROOT = new URL('../../', import.meta.url);

const PATHS: Record<Kind, string> = {
  websocket: '/echo',
  tcp: '/tcp',
  'tcp-v1': '/tcp',
  source: '/source',
  poll: '/poll',
  'websocket-over-http': '/events',
  post: '/post',
  open: '/open',
  signed: '/signed',
  metered: '/metered',
  counted: '/counted',
  http: '/',
  kept: '/',
  locked: '/echo',
  foreign: '/echo',
  limited: '/limited',
};

const CONFIG = new URL('sallyport.yaml', import.meta.url);

/** Sallyport as its users start it, with token, limits, metrics and access log; see sallyport.yaml. */
export const sallyport: Peer = {
  name: 'Sallyport',
  missing: () => undefined,
  version,
  start: (bed) => start('Sallyport', fileURLToPath(CONFIG), bed),
};

/** The same, its limits in a Redis of its own. */
export const sharing: Peer = {
  name: 'Sallyport+Redis',
  missing: missingRedis,
  version: () => `${version()}, Redis ${redisVersion()}`,
  async start(bed) {
    const redis = await startRedis(bed);
    const file = configWith(`store: { redis: "redis://127.0.0.1:${redis.port}" }`, 'sharing.yaml', bed);
    const running = await start('Sallyport+Redis', file, bed);
    return { ...running, stop: () => running.stop().finally(redis.stop) };
  },
};

/** The same in two processes, which share the limits of the first one of all. */
export const twoWorkers: Peer = {
  name: 'Sallyport, 2 workers',
  missing: () => undefined,
  version,
  start: (bed) => start('Sallyport, 2 workers', configWith('workers: 2', 'workers.yaml', bed), bed),
};

/** A file of this name with the configuration and one line more. */
function configWith(line: string, name: string, bed: Bed): string {
  const file = join(bed.directory, name);
  writeFileSync(file, `${readFileSync(CONFIG, 'utf8')}\n${line}\n`);
  return file;
}

function version(): string {
  return (JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')) as { version: string }).version;
}

async function start(name: string, file: string, bed: Bed): Promise<RunningPeer> {
  const [plain, tls, admin] = [await freePort(), await freePort(), await freePort()];
  const output = join(bed.directory, `${name}.log`);
  const main = fileURLToPath(new URL('src/main.ts', ROOT));
  const running = bed.processes.launch({
    command: process.execPath,
    args: [main, 'serve', file],
    core: bed.cores.proxy,
    output,
    env: environment(bed, plain, tls, admin),
  });
  await listening(tls, running, output);
  const endpoint = byPath({ plain, tls }, PATHS, 'binary');
  return { name, pid: running.pid, endpoint, stop: running.stop };
}

/** The values sallyport.yaml asks for. */
function environment({ ports, certificate, tokens }: Bed, plain: number, tls: number, admin: number) {
  const numbers = {
    PLAIN_PORT: plain,
    TLS_PORT: tls,
    ADMIN_PORT: admin,
    ECHO_WEBSOCKET: ports['echo-websocket'],
    ECHO_TCP: ports['echo-tcp'],
    SOURCE: ports.source,
    POLL: ports.poll,
    EVENTS: ports['websocket-over-http'],
    ECHO_HTTP: ports['echo-http'],
    HTTP: ports.http,
  };
  return {
    ...Object.fromEntries(Object.entries(numbers).map(([name, port]) => [name, String(port)])),
    CERT: certificate.cert,
    KEY: certificate.key,
    ISSUER: tokens.issuer,
    AUDIENCE: tokens.audience,
    SECRET_FILE: tokens.secretFile,
    PUBLIC_KEY: tokens.publicKeyFile,
  };
}
