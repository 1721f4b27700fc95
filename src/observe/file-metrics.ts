import { Counter, type Registry } from 'prom-client';
import { FILE_KINDS, type FileObserver, RELOAD_OUTCOMES } from '../watched-files.ts';

/** Counts in a registry what becomes of files of API keys and credentials that have changed, every series there from the start. */
export function createFileMetrics(registry: Registry): FileObserver {
  const reloads = new Counter({
    name: 'sallyport_file_reloads_total',
    help: 'Files of API keys, credentials for upstreams, targets and revocations that changed: renewed, or refused while what they held before stays in use.',
    labelNames: ['kind', 'outcome'],
    registers: [registry],
  });
  for (const kind of FILE_KINDS) for (const outcome of RELOAD_OUTCOMES) reloads.inc({ kind, outcome }, 0);
  return { reloaded: (kind, outcome) => reloads.inc({ kind, outcome }) };
}
