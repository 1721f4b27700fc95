import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { installedFile, programPath, type RunningServer, startServer } from './servers.ts';

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

interface NginxParts {
  /** Files of modules, by their whole paths. */
  readonly modules?: readonly string[];
  /** Lines within `http`. */
  readonly http: readonly string[];
  /** Lines within its one server. */
  readonly server: readonly string[];
}

/** Starts nginx with a server on a port of its own; stopped with the test. */
export async function startNginxWith(parts: NginxParts): Promise<RunningServer> {
  const program = programPath('nginx', 'nginx-light');
  const server = await startServer(program, async (folder, port) => {
    const file = join(folder, 'nginx.conf');
    await writeFile(file, configuration(folder, port, parts));
    return { args: ['-p', folder, '-e', 'stderr', '-c', file] };
  });
  onTestFinished(() => server.close());
  return server;
}

/** nginx with one location for all paths, in which these lines stand; `gateway` is the port given. Stopped with the test. */
export function startNginx(gateway: number, location: readonly string[]): Promise<RunningServer> {
  return startNginxWith({
    http: [
      "map $http_upgrade $connection_upgrade { default upgrade; '' close; }",
      `upstream gateway { server 127.0.0.1:${gateway}; }`,
    ],
    server: ['location / {', ...location.map((line) => `  ${line}`), '}'],
  });
}

/** Starts nginx with one server for TCP: `listen` is what stands behind its address, `lines` what it does. Stopped with the test. */
export async function startNginxStream(listen: string, lines: readonly string[]): Promise<RunningServer> {
  const program = programPath('nginx', 'nginx-light');
  const module = installedFile('/usr/lib/nginx/modules/ngx_stream_module.so', 'libnginx-mod-stream');
  const server = await startServer(program, async (folder, port) => {
    const file = join(folder, 'nginx.conf');
    const place = `listen 127.0.0.1:${port} ${listen};`;
    const text = `${basics(folder, [module])}\nstream { server { ${place}\n${lines.join('\n')} } }\n`;
    await writeFile(file, text);
    return { args: ['-p', folder, '-e', 'stderr', '-c', file] };
  });
  onTestFinished(() => server.close());
  return server;
}

function configuration(folder: string, port: number, { modules = [], http, server }: NginxParts): string {
  return `${basics(folder, modules)}
http {
  access_log off;
  ${TEMPORARY.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join('\n  ')}
  ${http.join('\n  ')}
  server {
    listen 127.0.0.1:${port};
    ${server.join('\n    ')}
  }
}
`;
}

function basics(folder: string, modules: readonly string[]): string {
  return `
${modules.map((file) => `load_module ${file};`).join('\n')}
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr;
events {}`;
}
