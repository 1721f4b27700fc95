import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { programPath, type RunningServer, startServer } from './servers.ts';

/** An IRC server that takes everybody; stopped when the test has finished. */
export async function startNgircd(): Promise<RunningServer> {
  const program = programPath('ngircd', 'ngircd');
  const server = await startServer(program, async (folder, port) => {
    const file = join(folder, 'ngircd.conf');
    const lines = [
      '[Global]',
      'Name = irc.example.com',
      'Info = test',
      `Ports = ${port}`,
      'Listen = 127.0.0.1',
    ];
    lines.push('ServerUID = nobody', 'ServerGID = nogroup', 'MotdPhrase = hello');
    lines.push('[Options]', 'DNS = no', 'Ident = no', 'PAM = no', '[Limits]', 'MaxConnectionsIP = 0');
    await writeFile(file, `${lines.join('\n')}\n`);
    return { args: ['--nodaemon', '--config', file] };
  });
  onTestFinished(() => server.close());
  return server;
}
