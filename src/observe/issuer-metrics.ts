import { Counter, Gauge, type Registry } from 'prom-client';
import type { KeyStatus } from '../admission/token/jwks.ts';

/** The issuers by their names in the configuration. */
export type IssuerRecords = Iterable<readonly [string, { readonly keys: KeyStatus }]>;

/** Tells in a registry how fresh the keys of issuers are; they are asked at each scrape, so that each is there from the start. */
export function createIssuerMetrics(registry: Registry, issuers: () => IssuerRecords): void {
  new Gauge({
    name: 'sallyport_issuer_keys_age_seconds',
    help: 'Time since the keys of an issuer were fetched: NaN before the first time, 0 where they stand in the configuration.',
    labelNames: ['issuer'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [issuer, { keys }] of issuers())
        this.set({ issuer }, keys.ageMs === undefined ? Number.NaN : keys.ageMs / 1000);
    },
  });
  new Counter({
    name: 'sallyport_issuer_refresh_failures_total',
    help: 'Fetches of the keys of an issuer that failed.',
    labelNames: ['issuer'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [issuer, { keys }] of issuers()) this.inc({ issuer }, keys.failures);
    },
  });
}
