import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Pair } from './certificates.ts';
import { eventually } from './patience.ts';
import { installedFile, type RunningServer, startServer } from './servers.ts';

const run = promisify(execFile);

/** Whom it lets in: `alice`, by SCRAM, with this password. */
export const PASSWORD = 'wonderland';

const READY_MS = 15_000;

/** What libpq's programs are told: the port of this machine, and further settings. */
export function connectionString(port: number, more = 'sslmode=disable'): string {
  return `host=127.0.0.1 port=${port} dbname=postgres user=alice password=${PASSWORD} ${more}`;
}

/**
 * A PostgreSQL with an empty database; with the files of a certificate it takes nobody without TLS. Close it: it takes seconds
 * to make one, so that a file of tests shares it.
 */
export async function startPostgres(certificate?: Pair): Promise<RunningServer> {
  const programs = installedFile('/usr/lib/postgresql/*/bin', 'postgresql');
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-postgres-'));
  const data = join(folder, 'data');
  const user = ordinaryUser();
  const password = join(folder, 'password');
  await writeFile(password, PASSWORD);
  if (user) await run('chown', ['-R', user, folder]);
  const options = ['-D', data, '-U', 'alice', '--auth=scram-sha-256', `--pwfile=${password}`];
  const [init, ...rest] = as(user, join(programs, 'initdb'), [...options, '-E', 'UTF8', '--no-sync']);
  await run(init as string, rest);
  const secure = certificate === undefined ? [] : await requireTls(certificate, data);
  if (user) await run('chown', ['-R', user, data]);
  const server = await startServer(
    user ? '/usr/sbin/runuser' : join(programs, 'postgres'),
    async (_, port) => {
      const args = ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', '', '-F', ...secure];
      return { args: as(user, join(programs, 'postgres'), args).slice(1) };
    },
  );
  // It listens before it is there for anybody.
  const asking = ['-h', '127.0.0.1', '-p', String(server.port)];
  const isReady = () =>
    run(join(programs, 'pg_isready'), asking).then(
      () => true,
      () => false,
    );
  await eventually(isReady, 'PostgreSQL', READY_MS);
  return {
    port: server.port,
    async close() {
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** What the server is told besides, so that it shows this certificate, and refuses who speaks plain text. */
async function requireTls(certificate: Pair, data: string): Promise<string[]> {
  await writeFile(join(data, 'pg_hba.conf'), 'hostssl all all 127.0.0.1/32 scram-sha-256\n');
  for (const name of ['cert', 'key'] as const) {
    const copy = join(data, name);
    await copyFile(certificate[name], copy);
    await chmod(copy, 0o600);
  }
  return ['ssl=on', 'ssl_cert_file=cert', 'ssl_key_file=key'].flatMap((setting) => ['-c', setting]);
}

/** PostgreSQL refuses to run as root; undefined where this is an ordinary user already. */
function ordinaryUser(): string | undefined {
  return process.getuid?.() === 0 ? 'nobody' : undefined;
}

function as(user: string | undefined, program: string, args: readonly string[]): string[] {
  return user ? ['/usr/sbin/runuser', '-u', user, '--', program, ...args] : [program, ...args];
}
