import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, listening } from '../measure/processes.ts';
import type { Bed, Peer, RunningPeer } from '../types.ts';
import { byPath, has } from './common.ts';

/** HAProxy with one thread, in HTTP mode, without a log. */
export const haproxy: Peer = {
  name: 'HAProxy',
  missing: () => (has('haproxy', '-v') ? undefined : 'apt-get install haproxy'),
  version: () => /version (\S+)/.exec(execFileSync('haproxy', ['-v'], { encoding: 'utf8' }))?.[1] ?? '?',
  start,
};

async function start(bed: Bed): Promise<RunningPeer> {
  const [plain, tls] = [await freePort(), await freePort()];
  const file = join(bed.directory, 'haproxy.cfg');
  const output = join(bed.directory, 'haproxy.out');
  writeFileSync(file, configuration(bed, plain, tls));
  const args = ['-db', '-f', file];
  const running = bed.processes.launch({ command: 'haproxy', args, core: bed.cores.proxy, output });
  await listening(tls, running, output);
  const paths = { websocket: '/echo', open: '/echo', source: '/source', http: '/', kept: '/' };
  return { name: 'HAProxy', pid: running.pid, endpoint: byPath({ plain, tls }, paths), stop: running.stop };
}

function configuration({ ports, certificate, directory }: Bed, plain: number, tls: number): string {
  const pem = join(directory, 'haproxy.pem');
  writeFileSync(
    pem,
    [certificate.cert, certificate.key].map((file) => readFileSync(file, 'utf8')).join('\n'),
  );
  return `
global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend all
  bind 127.0.0.1:${plain} backlog 4096
  bind 127.0.0.1:${tls} ssl crt ${pem} backlog 4096
  use_backend echo if { path /echo }
  use_backend source if { path /source }
  default_backend http
backend echo
  server echo 127.0.0.1:${ports['echo-websocket']}
backend source
  server source 127.0.0.1:${ports.source}
backend http
  server http 127.0.0.1:${ports.http}
`;
}
