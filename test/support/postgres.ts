import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installedFile, type RunningServer, startServer } from './servers.ts';

const run = promisify(execFile);

/** Whom it lets in: `alice`, by SCRAM, with this password. */
export const PASSWORD = 'wonderland';

/** A PostgreSQL with an empty database. Close it: it takes seconds to make one, so that a file of tests shares it. */
export async function startPostgres(): Promise<RunningServer> {
  const programs = installedFile('/usr/lib/postgresql/*/bin', 'postgresql');
  const data = await mkdtemp(join(tmpdir(), 'sallyport-postgres-'));
  const user = ordinaryUser();
  const password = join(data, 'password');
  await writeFile(password, PASSWORD);
  if (user) await run('chown', ['-R', user, data]);
  const options = ['-D', join(data, 'data'), '-U', 'alice', '--auth=scram-sha-256', `--pwfile=${password}`];
  const [init, ...rest] = as(user, join(programs, 'initdb'), [...options, '-E', 'UTF8', '--no-sync']);
  await run(init as string, rest);
  const server = await startServer(
    user ? '/usr/sbin/runuser' : join(programs, 'postgres'),
    async (_, port) => {
      const args = ['-D', join(data, 'data'), '-h', '127.0.0.1', '-p', String(port), '-k', '', '-F'];
      return { args: as(user, join(programs, 'postgres'), args).slice(1) };
    },
  );
  return {
    port: server.port,
    async close() {
      await server.close();
      await rm(data, { recursive: true });
    },
  };
}

/** PostgreSQL refuses to run as root; undefined where this is an ordinary user already. */
function ordinaryUser(): string | undefined {
  return process.getuid?.() === 0 ? 'nobody' : undefined;
}

function as(user: string | undefined, program: string, args: readonly string[]): string[] {
  return user ? ['/usr/sbin/runuser', '-u', user, '--', program, ...args] : [program, ...args];
}
