import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { freePort } from './ports.ts';
import { programPath, type RunningServer, startServer } from './servers.ts';

/** A NATS server by the port it has for WebSockets; `raw` is its own. */
export interface Nats extends RunningServer {
  readonly raw: number;
}

/** One for whoever connects as alice; stopped when the test has finished. */
export async function startNats(): Promise<Nats> {
  const raw = await freePort();
  const program = programPath('nats-server', 'nats-server');
  const server = await startServer(program, async (folder, port) => {
    const file = join(folder, 'nats.conf');
    const lines = [
      `listen: "127.0.0.1:${raw}"`,
      `websocket { listen: "127.0.0.1:${port}", no_tls: true, compression: true, allowed_origins: ["https://app.example.com"] }`,
      'authorization { user: alice, password: wonderland }',
    ];
    await writeFile(file, lines.join('\n'));
    return { args: ['-c', file] };
  });
  onTestFinished(() => server.close());
  return { ...server, raw };
}
