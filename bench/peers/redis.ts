import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { freePort, listening, type Running } from '../measure/processes.ts';
import type { Bed } from '../types.ts';
import { has } from './common.ts';

/** The store that gateways share, on the core of the services: its own CPU is not what is measured. */

export function missingRedis(): string | undefined {
  return has('redis-server', '--version') ? undefined : 'apt-get install redis-server';
}

export function redisVersion(): string {
  return /v=(\S+)/.exec(spawnSync('redis-server', ['--version'], { encoding: 'utf8' }).stdout)?.[1] ?? '?';
}

/** Starts one that writes nothing down, and resolves once it listens. */
export async function startRedis(bed: Bed): Promise<Running & { port: number }> {
  const port = await freePort();
  const output = join(bed.directory, 'redis.log');
  const running = bed.processes.launch({
    command: 'redis-server',
    args: [
      '--bind',
      '127.0.0.1',
      '--port',
      String(port),
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      bed.directory,
    ],
    core: bed.cores.service,
    output,
  });
  await listening(port, running, output);
  return { ...running, port };
}
