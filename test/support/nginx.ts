import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { programPath, type RunningServer, startServer } from './servers.ts';

/** nginx with one location for all paths, in which these lines stand; `gateway` is the port given. Stopped with the test. */
export async function startNginx(gateway: number, location: readonly string[]): Promise<RunningServer> {
  const program = programPath('nginx', 'nginx-light');
  const server = await startServer(program, async (folder, port) => {
    const file = join(folder, 'nginx.conf');
    await writeFile(file, configuration(folder, port, gateway, location));
    return { args: ['-p', folder, '-e', 'stderr', '-c', file] };
  });
  onTestFinished(() => server.close());
  return server;
}

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

function configuration(folder: string, port: number, gateway: number, location: readonly string[]): string {
  return `
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  ${TEMPORARY.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join('\n  ')}
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  upstream gateway { server 127.0.0.1:${gateway}; }
  server {
    listen 127.0.0.1:${port};
    location / {
      ${location.join('\n      ')}
    }
  }
}
`;
}
