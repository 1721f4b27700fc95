import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { installedFile, programPath, type RunningServer, startServer } from './servers.ts';

/** Kamailio as a registrar that passes messages on to whom they are for; stopped when the test has finished. */
export async function startKamailio(): Promise<RunningServer> {
  const program = programPath('kamailio', 'kamailio');
  installedFile('/usr/lib/*/kamailio/modules/websocket.so', 'kamailio-websocket-modules');
  const server = await startServer(program, async (folder, port) => {
    const file = join(folder, 'kamailio.cfg');
    await writeFile(file, configuration(port));
    // In the foreground, logging to stderr.
    return { args: ['-DD', '-E', '-f', file, '-Y', folder, '-m', '32', '-M', '4'] };
  });
  onTestFinished(() => server.close());
  return server;
}

const MODULES = [
  'kex',
  'sl',
  'tm',
  'pv',
  'xhttp',
  'websocket',
  'usrloc',
  'registrar',
  'nathelper',
  'textops',
];

function configuration(port: number): string {
  return `#!KAMAILIO
children=1
tcp_children=2
listen=tcp:127.0.0.1:${port}
tcp_accept_no_cl=yes
${MODULES.map((name) => `loadmodule "${name}.so"`).join('\n')}
modparam("nathelper|registrar", "received_avp", "$avp(received)")
event_route[xhttp:request] {
  if ($hdr(Upgrade) =~ "websocket" && ws_handle_handshake()) exit;
  xhttp_reply("404", "Not Found", "", "");
}
request_route {
  force_rport();
  if (is_method("REGISTER")) {
    fix_nated_register();
    save("location");
    exit;
  }
  if (!lookup("location")) {
    sl_send_reply("404", "Not Found");
    exit;
  }
  t_relay();
}
`;
}
