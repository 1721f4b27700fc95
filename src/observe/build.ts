import { readFileSync } from 'node:fs';
// A constant of the runtime, which nobody passes in and nothing changes.
import { version } from 'node:process';
import { Gauge, type Registry } from 'prom-client';

/** The version in package.json, which stands at the same place above `src/observe` and `dist/observe`. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** Tells in a registry what runs here. */
export function registerBuildInfo(registry: Registry): void {
  const info = new Gauge({
    name: 'sallyport_build_info',
    help: 'Always 1: the versions of Sallyport and Node are its labels.',
    labelNames: ['version', 'node'],
    registers: [registry],
  });
  info.set({ version: packageVersion(), node: version }, 1);
}
