import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { freePort } from './ports.ts';
import { installedFile, programPath, type RunningServer, startServer } from './servers.ts';

/** Services of Debian whose messages are fetched. Each is stopped with its test. */

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

/** nginx with nchan: a channel has messages POSTed to `/pub/NAME`, and is heard by polls of `/sub/NAME` and at `/events/NAME`. */
export async function startNchan(): Promise<RunningServer> {
  const program = programPath('nginx', 'nginx-light');
  const nchan = installedFile('/usr/lib/nginx/modules/ngx_nchan_module.so', 'libnginx-mod-nchan');
  return stoppedWithTest(
    await startServer(program, async (folder, port) => {
      const file = join(folder, 'nginx.conf');
      await writeFile(file, nginxWith(nchan, folder, port));
      return { args: ['-p', folder, '-e', 'stderr', '-c', file] };
    }),
  );
}

function nginxWith(nchan: string, folder: string, port: number): string {
  const channel = 'nchan_channel_id $1;';
  return `
load_module ${nchan};
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  ${TEMPORARY.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join('\n  ')}
  keepalive_requests 100000;
  nchan_message_buffer_length 20000;
  server {
    listen 127.0.0.1:${port};
    location ~ ^/pub/(\\w+)$ { nchan_publisher; ${channel} }
    location ~ ^/sub/(\\w+)$ { nchan_subscriber longpoll; nchan_subscriber_first_message oldest; nchan_subscriber_timeout 1s; ${channel} }
    location ~ ^/events/(\\w+)$ { nchan_subscriber eventsource; nchan_subscriber_first_message oldest; nchan_subscriber_timeout 1s; ${channel} }
  }
}
`;
}

/** etcd, which speaks its second API too. */
export async function startEtcd(): Promise<RunningServer> {
  const program = programPath('etcd', 'etcd-server');
  return stoppedWithTest(
    await startServer(program, async (folder, port) => {
      const client = `http://127.0.0.1:${port}`;
      const peer = `http://127.0.0.1:${await freePort()}`;
      const options = {
        'data-dir': join(folder, 'data'),
        'enable-v2': 'true',
        'listen-client-urls': client,
        'advertise-client-urls': client,
        'listen-peer-urls': peer,
        'initial-advertise-peer-urls': peer,
        'initial-cluster': `default=${peer}`,
      };
      return { args: Object.entries(options).map(([name, value]) => `--${name}=${value}`) };
    }),
  );
}

function stoppedWithTest(server: RunningServer): RunningServer {
  onTestFinished(() => server.close());
  return server;
}
