import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { programPath, type RunningServer, startServer } from './servers.ts';

/** Servers that run a script for each request. Call these within a test; they are stopped with it. */

/** Files by their paths, in the folder that is served. */
type Files = Readonly<Record<string, string>>;

/** PHP's own server: one request at a time, and a connection for each. */
export function startPhp(files: Files): Promise<RunningServer> {
  return startScripts(['php', 'php-cli'], files, (port) => ['-S', `127.0.0.1:${port}`]);
}

/** BusyBox's server, which runs what is in `cgi-bin/` (RFC 3875). */
export function startCgi(files: Files): Promise<RunningServer> {
  return startScripts(['busybox', 'busybox'], files, (port) => ['httpd', '-f', '-p', `127.0.0.1:${port}`]);
}

async function startScripts(
  [program, debianPackage]: readonly [string, string],
  files: Files,
  argsFor: (port: number) => string[],
): Promise<RunningServer> {
  const server = await startServer(programPath(program, debianPackage), async (folder, port) => {
    for (const [name, text] of Object.entries(files)) await writeScript(join(folder, name), text);
    return { args: argsFor(port) };
  });
  onTestFinished(() => server.close());
  return server;
}

async function writeScript(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  await chmod(file, 0o755);
}
