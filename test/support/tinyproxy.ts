import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { programPath, startServer } from './servers.ts';

/** Debian's HTTP proxy, as companies have them: with a name and password, and one port that it lets through. Its port. */
export async function startTinyproxy(user: string, password: string, allowed: number): Promise<number> {
  const server = await startServer(programPath('tinyproxy', 'tinyproxy'), async (folder, port) => {
    const config = join(folder, 'tinyproxy.conf');
    const lines = [
      `Port ${port}`,
      'Listen 127.0.0.1',
      'Timeout 60',
      'MaxClients 50',
      `BasicAuth ${user} ${password}`,
      `ConnectPort ${allowed}`,
    ];
    await writeFile(config, `${lines.join('\n')}\n`);
    return { args: ['-d', '-c', config] };
  });
  onTestFinished(() => server.close());
  return server.port;
}
