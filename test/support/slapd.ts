import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Pair } from './certificates.ts';
import { programPath, type RunningServer, startServer } from './servers.ts';

/** OpenLDAP without a directory, which answers nobody without TLS; `files` is what it shows. Stopped with the test. */
export async function startSlapd(files: Pair): Promise<RunningServer> {
  const server = await startServer(programPath('slapd', 'slapd'), async (folder, port) => {
    const file = join(folder, 'slapd.conf');
    const lines = [
      'include /etc/ldap/schema/core.schema',
      `TLSCertificateFile ${files.cert}`,
      `TLSCertificateKeyFile ${files.key}`,
      'security ssf=1',
    ];
    await writeFile(file, `${lines.join('\n')}\n`);
    return { args: ['-d', '0', '-h', `ldap://127.0.0.1:${port}`, '-f', file] };
  });
  onTestFinished(() => server.close());
  return server;
}
