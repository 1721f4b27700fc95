import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import type { Cores } from '../types.ts';
import { hasTaskset } from './processes.ts';

/**
 * Gives the proxy a core, the load another, and the services a third, or the load's where there are two. Says in
 * `note` why nothing is pinned, where it is not.
 */
export function assignCores(note: (text: string) => void): Cores {
  const cores = allowedCores();
  if (cores.length < 2)
    note('One core: proxy, load and services share it, so rates and latencies say little.');
  else if (!hasTaskset())
    note('Nothing is pinned to a core: there is no `taskset` (apt-get install util-linux).');
  else return { proxy: cores[0], load: cores[1], service: cores[2] ?? cores[1] };
  return {};
}

/** The cores this process may run on; a container may have been given some only. */
function allowedCores(): number[] {
  try {
    const text = execFileSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' });
    return text
      .slice(text.lastIndexOf(':') + 1)
      .split(',')
      .flatMap(range);
  } catch {
    return Array.from({ length: availableParallelism() }, (_, core) => core);
  }
}

function range(text: string): number[] {
  const [first = 0, last = first] = text.split('-').map(Number);
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

/** How many files one process may have open. */
export function descriptorLimit(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -n 65536 2>/dev/null; ulimit -Hn'], { encoding: 'utf8' });
  return Number(limit) || Infinity;
}
