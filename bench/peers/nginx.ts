import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, listening } from '../measure/processes.ts';
import type { Bed, Peer, RunningPeer } from '../types.ts';
import { byPath, has } from './common.ts';

/** nginx with one worker, no access log, and nothing it is not asked for. */
export const nginx: Peer = {
  name: 'nginx',
  missing: () => (has('nginx', '-v') ? undefined : 'apt-get install nginx-light'),
  version: () => /nginx\/(\S+)/.exec(spawnSync('nginx', ['-v'], { encoding: 'utf8' }).stderr)?.[1] ?? '?',
  start,
};

async function start(bed: Bed): Promise<RunningPeer> {
  const [plain, tls] = [await freePort(), await freePort()];
  const file = join(bed.directory, 'nginx.conf');
  const output = join(bed.directory, 'nginx.out');
  writeFileSync(file, configuration(bed, plain, tls));
  const args = ['-p', bed.directory, '-c', file, '-e', output];
  const running = bed.processes.launch({ command: 'nginx', args, core: bed.cores.proxy, output });
  await listening(tls, running, output);
  const paths = { websocket: '/echo', open: '/echo', source: '/source', http: '/', kept: '/kept' };
  return { name: 'nginx', pid: running.pid, endpoint: byPath({ plain, tls }, paths), stop: running.stop };
}

function configuration({ ports, certificate, directory }: Bed, plain: number, tls: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
events { worker_connections 25000; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${directory}/${name};`).join(' ')}
  proxy_http_version 1.1;
  proxy_read_timeout 1h;
  upstream kept {
    server 127.0.0.1:${ports.http};
    keepalive 64;
    keepalive_requests 1000000000;
  }
  keepalive_requests 1000000000;
  server {
    listen 127.0.0.1:${plain} backlog=4096;
    listen 127.0.0.1:${tls} ssl backlog=4096;
    ssl_certificate ${certificate.cert};
    ssl_certificate_key ${certificate.key};
    location = /echo {
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_pass http://127.0.0.1:${ports['echo-websocket']};
    }
    location = /source {
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_pass http://127.0.0.1:${ports.source};
    }
    location = /kept {
      proxy_set_header Connection "";
      proxy_pass http://kept;
    }
    location / {
      proxy_set_header Connection "";
      proxy_pass http://127.0.0.1:${ports.http};
    }
  }
}
`;
}
