import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { programPath, type RunningServer, startServer } from './servers.ts';

/** Starts HAProxy with the sections that `sections` makes of the port it is to listen on; stopped with the test. */
export async function startHaproxy(sections: (port: number) => string): Promise<RunningServer> {
  const program = programPath('haproxy', 'haproxy');
  const server = await startServer(program, async (folder, port) => {
    const file = join(folder, 'haproxy.cfg');
    await writeFile(file, `${DEFAULTS}\n${sections(port)}\n`);
    return { args: ['-db', '-f', file] };
  });
  onTestFinished(() => server.close());
  return server;
}

const DEFAULTS = `
global
  nbthread 1
defaults
  timeout connect 5s
  timeout client 1m
  timeout server 1m`;
