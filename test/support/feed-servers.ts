import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { startNginxWith } from './nginx.ts';
import { freePort } from './ports.ts';
import { installedFile, programPath, type RunningServer, startServer } from './servers.ts';

/** Services of Debian whose messages are fetched. Each is stopped with its test. */

/** nginx with nchan: a channel has messages POSTed to `/pub/NAME`, and is heard by polls of `/sub/NAME` and at `/events/NAME`. */
export function startNchan(): Promise<RunningServer> {
  const channel = 'nchan_channel_id $1;';
  const fromFirst = `nchan_subscriber_first_message oldest; nchan_subscriber_timeout 1s; ${channel}`;
  return startNginxWith({
    modules: [installedFile('/usr/lib/nginx/modules/ngx_nchan_module.so', 'libnginx-mod-nchan')],
    http: ['keepalive_requests 100000;', 'nchan_message_buffer_length 20000;'],
    server: [
      `location ~ ^/pub/(\\w+)$ { nchan_publisher; ${channel} }`,
      `location ~ ^/sub/(\\w+)$ { nchan_subscriber longpoll; ${fromFirst} }`,
      `location ~ ^/events/(\\w+)$ { nchan_subscriber eventsource; ${fromFirst} }`,
    ],
  });
}

/** etcd, which speaks its second API too. */
export async function startEtcd(): Promise<RunningServer> {
  const program = programPath('etcd', 'etcd-server');
  const server = await startServer(program, async (folder, port) => {
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
  });
  onTestFinished(() => server.close());
  return server;
}
