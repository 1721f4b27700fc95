import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { freePort } from './ports.ts';
import { programPath, type RunningServer, startServer } from './servers.ts';

/** Users of app.example.com, and their password. */
export const USERS = ['alice', 'bob'] as const;
export const PASSWORD = 'wonderland';

/** Prosody as the XMPP server of app.example.com, with its WebSocket port only; stopped when the test has finished. */
export async function startProsody(): Promise<RunningServer> {
  const program = programPath('prosody', 'prosody');
  const server = await startServer(program, async (folder, port) => {
    const file = join(folder, 'prosody.cfg.lua');
    await writeFile(file, configuration(folder, port, await freePort()));
    const accounts = join(folder, 'app%2eexample%2ecom', 'accounts');
    await mkdir(accounts, { recursive: true });
    for (const user of USERS)
      await writeFile(join(accounts, `${user}.dat`), `return { ["password"] = "${PASSWORD}"; };`);
    return { args: ['-F', '--config', file] };
  });
  onTestFinished(() => server.close());
  return server;
}

function configuration(folder: string, port: number, c2s: number): string {
  return `
pidfile = "${folder}/prosody.pid"
data_path = "${folder}"
certificates = "${folder}"
run_as_root = true
interfaces = { "127.0.0.1" }
http_ports = { ${port} }
https_ports = {}
c2s_ports = { ${c2s} }
c2s_direct_tls_ports = {}
modules_enabled = { "roster", "saslauth", "disco", "websocket" }
modules_disabled = { "s2s" }
authentication = "internal_plain"
consider_websocket_secure = true
log = { { levels = { min = "info" }, to = "console" } }
VirtualHost "app.example.com"
`;
}
