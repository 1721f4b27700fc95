import { cpus, release, totalmem, type } from 'node:os';
import type { Machine } from '../types.ts';

/** Describes this machine. */
export function describeMachine(): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
  };
}

/** One line: `AMD EPYC, 2 cores, 8 GiB, Linux 6.1.0`. */
export function machineLine({ cpu, cores, memoryGib, kernel }: Machine): string {
  return `${cpu}, ${cores} ${cores === 1 ? 'core' : 'cores'}, ${memoryGib} GiB, ${kernel}`;
}
