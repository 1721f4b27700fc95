import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/**
 * What Linux knows of processes, from /proc: their trees, their CPU time, their memory. A process that ends while it is
 * looked at counts as nothing.
 */

/** Clock ticks a second, the unit of CPU time in /proc. */
const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The fields of /proc/PID/stat from the third on: what comes before may hold blanks. Empty: no such process. */
function fields(pid: number): string[] {
  const stat = read(`/proc/${pid}/stat`);
  return stat ? stat.slice(stat.lastIndexOf(')') + 2).split(' ') : [];
}

/** The process and all that descend from it; empty once it has ended. */
export function tree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!pid) continue;
    const parent = Number(fields(pid)[1]);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found = fields(root).length ? [root] : [];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

/**
 * CPU seconds, user and system, that the trees have used so far, with those of children already reaped. Steps of one
 * tick, mostly 10 ms.
 */
export function cpuSeconds(...roots: number[]): number {
  let ticks = 0;
  for (const pid of roots.flatMap(tree)) {
    const [utime, stime, cutime, cstime] = fields(pid).slice(11, 15).map(Number);
    ticks += (utime ?? 0) + (stime ?? 0) + (cutime ?? 0) + (cstime ?? 0);
  }
  return ticks / TICKS;
}

/** Open TCP connections of this machine to a port of 127.0.0.1, seen from the side that has dialled. */
export function connectionsTo(port: number): number {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  // Column 3 is the far end, column 4 the state; 01 is ESTABLISHED.
  const rows = read('/proc/net/tcp').split('\n');
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , to, state]) => to === remote && state === '01').length;
}

/** Memory of the trees in KiB: PSS, where pages that n processes share count 1/n to each. */
export function memoryKib(...roots: number[]): number {
  let kib = 0;
  for (const pid of roots.flatMap(tree)) {
    kib += Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
  }
  return kib;
}
