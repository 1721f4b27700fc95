import { execFile, spawn } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { installedFile, portOf, programPath, startServer } from './servers.ts';
import { listenAt } from './sockets.ts';

/** TCP services from Debian on 127.0.0.1, ended with the test that starts them. All but `sort` have files in a folder. */

const exec = promisify(execFile);
const isRoot = process.getuid?.() === 0;

export async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-services-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

async function started(starting: ReturnType<typeof startServer>): Promise<number> {
  const server = await starting;
  onTestFinished(() => server.close());
  return server.port;
}

/** Serves the repositories in a folder. */
export function startGitDaemon(folder: string): Promise<number> {
  const daemon = installedFile('/usr/lib/git-core/git-daemon', 'git');
  return started(
    startServer(daemon, async (_, port) => ({
      args: ['--listen=127.0.0.1', `--port=${port}`, `--base-path=${folder}`, '--export-all', folder],
    })),
  );
}

/** Serves a folder as the module `files`. */
export function startRsync(path: string): Promise<number> {
  return started(
    startServer(programPath('rsync', 'rsync'), async (folder, port) => {
      const config = join(folder, 'rsyncd.conf');
      await writeFile(config, `use chroot = no\n[files]\npath = ${path}\nread only = yes\n`);
      return {
        args: ['--daemon', '--no-detach', '--address=127.0.0.1', `--port=${port}`, `--config=${config}`],
      };
    }),
  );
}

/** Answers with the lines it got, sorted, once its client has finished. */
export async function startSort(): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const sort = spawn(programPath('sort', 'coreutils'));
    sort.stdin.on('error', () => {});
    socket.on('error', () => sort.kill());
    socket.pipe(sort.stdin);
    sort.stdout.pipe(socket);
  });
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  return portOf(server);
}

export interface Ssh {
  readonly port: number;
  /** What ssh and scp are told besides how to connect. */
  readonly options: readonly string[];
}

/** An sshd that lets this user in by a key of the test's. */
export async function startSshd(): Promise<Ssh> {
  const sshd = programPath('sshd', 'openssh-server');
  const keygen = programPath('ssh-keygen', 'openssh-client');
  const folder = await scratch();
  const [host, own] = [join(folder, 'host'), join(folder, 'own')];
  for (const file of [host, own]) await exec(keygen, ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  await copyFile(`${own}.pub`, join(folder, 'authorized'));
  await chmod(folder, 0o700);
  // It keeps its rights apart there.
  if (isRoot) await mkdir('/run/sshd', { recursive: true });
  const port = await started(
    startServer(sshd, async (place, at) => {
      const config = join(place, 'sshd_config');
      const lines = [
        `Port ${at}`,
        'ListenAddress 127.0.0.1',
        `HostKey ${host}`,
        `AuthorizedKeysFile ${join(folder, 'authorized')}`,
        `PidFile ${join(place, 'pid')}`,
        'StrictModes no',
        'UsePAM no',
        'PermitRootLogin yes',
        'MaxStartups 100',
        'Subsystem sftp internal-sftp',
      ];
      await writeFile(config, `${lines.join('\n')}\n`);
      return { args: ['-D', '-e', '-f', config] };
    }),
  );
  const settings = [
    'StrictHostKeyChecking=no',
    `UserKnownHostsFile=${join(folder, 'known')}`,
    'BatchMode=yes',
  ];
  const options = ['-F', '/dev/null', '-i', own, ...settings.flatMap((setting) => ['-o', setting])];
  return { port, options: [...options, '-o', 'LogLevel=ERROR'] };
}
