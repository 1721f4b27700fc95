import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { freePort, listening } from '../measure/processes.ts';
import type { Bed, Peer, RunningPeer } from '../types.ts';
import { byPath, has } from './common.ts';

/** websockify in front of the TCP echo; it forks for every connection. */
export const websockify: Peer = {
  name: 'websockify',
  missing: () => (has('websockify', '--help') ? undefined : 'apt-get install websockify'),
  version,
  start,
};

function version(): string {
  // Its own Python knows: the one its first line names.
  const ask = 'exec $(head -n 1 "$(command -v websockify)" | cut -c 3-) -c "$0"';
  const program = 'from importlib.metadata import version; print(version("websockify"))';
  const { stdout } = spawnSync('sh', ['-c', ask, program], { encoding: 'utf8' });
  return stdout.trim() || '?';
}

async function start({ ports, cores, directory, processes }: Bed): Promise<RunningPeer> {
  const plain = await freePort();
  const output = join(directory, 'websockify.out');
  const args = [`127.0.0.1:${plain}`, `127.0.0.1:${ports['echo-tcp']}`];
  const running = processes.launch({ command: 'websockify', args, core: cores.proxy, output });
  await listening(plain, running, output);
  const endpoint = byPath({ plain }, { tcp: '/' }, 'binary');
  return { name: 'websockify', pid: running.pid, endpoint, stop: running.stop };
}
