import { execFile } from 'node:child_process';
import { chmod, chown, copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import type { Pair } from './certificates.ts';
import { installedFile, programPath, type RunningServer, startServer } from './servers.ts';

const exec = promisify(execFile);

/** PostgreSQL's programs are nobody's who is root: then they run as the user that Debian's package made. */
async function owner(): Promise<{ uid: number; gid: number; prefix: string[] } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const [, uid = '', gid = ''] =
    /^postgres:[^:]*:(\d+):(\d+):/m.exec(await readFile('/etc/passwd', 'utf8')) ?? [];
  return {
    uid: Number(uid),
    gid: Number(gid),
    prefix: [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'],
  };
}

/**
 * PostgreSQL that takes its user `postgres` without a password, and nobody without TLS; `files` is what it shows. Stopped with
 * the test.
 */
export async function startPostgres(files: Pair): Promise<RunningServer> {
  const programs = installedFile('/usr/lib/postgresql/*/bin', 'postgresql');
  const setpriv = programPath('setpriv', 'util-linux');
  const user = await owner();
  const prefix = user?.prefix ?? [];
  const server = await startServer(setpriv, async (folder, port) => {
    if (user) await chown(folder, user.uid, user.gid);
    const data = join(folder, `data-${port}`);
    const initdb = [join(programs, 'initdb'), '-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync'];
    await exec(setpriv, [...prefix, ...initdb], { cwd: folder });
    for (const name of ['cert', 'key'] as const) {
      const copy = join(data, name);
      await copyFile(files[name], copy);
      await chmod(copy, 0o600);
      if (user) await chown(copy, user.uid, user.gid);
    }
    await writeFile(join(data, 'pg_hba.conf'), 'hostssl all all 127.0.0.1/32 trust\n');
    const settings = {
      port,
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      ssl: 'on',
      ssl_cert_file: 'cert',
      ssl_key_file: 'key',
      fsync: 'off',
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    return { args: [...prefix, join(programs, 'postgres'), '-D', data, ...options] };
  });
  onTestFinished(() => server.close());
  return server;
}
