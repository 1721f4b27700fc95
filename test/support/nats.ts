import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { freePort } from './ports.ts';
import { programPath, type RunningServer, startServer } from './servers.ts';

/** A NATS server with its WebSocket port, for whoever connects as alice; stopped when the test has finished. */
export async function startNats(): Promise<RunningServer> {
  const program = programPath('nats-server', 'nats-server');
  const server = await startServer(program, async (folder, port) => {
    const file = join(folder, 'nats.conf');
    const lines = [
      `listen: "127.0.0.1:${await freePort()}"`,
      `websocket { listen: "127.0.0.1:${port}", no_tls: true, compression: true, allowed_origins: ["https://app.example.com"] }`,
      'authorization { user: alice, password: wonderland }',
    ];
    await writeFile(file, lines.join('\n'));
    return { args: ['-c', file] };
  });
  onTestFinished(() => server.close());
  return server;
}
