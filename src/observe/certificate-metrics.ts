import { Counter, Gauge, type Registry } from 'prom-client';
import type { CertificateObserver, CertificateRecord } from '../watched-certificates.ts';
import { RELOAD_OUTCOMES } from '../watched-files.ts';

/** Counts renewals in a registry, every series there from the start; `inService` lists the certificates there are at each scrape. */
export function createCertificateMetrics(
  registry: Registry,
  inService: () => Iterable<CertificateRecord>,
): CertificateObserver {
  const registers = [registry];
  new Gauge({
    name: 'sallyport_certificate_not_after_seconds',
    help: 'When the certificates of each file end, in seconds since the epoch. listener is its address as configured, and empty for those that are shown to upstreams.',
    labelNames: ['listener', 'name'],
    registers,
    collect() {
      this.reset();
      for (const { listener, name, expiresAt } of inService()) this.set({ listener, name }, expiresAt / 1000);
    },
  });
  const reloads = new Counter({
    name: 'sallyport_certificate_reloads_total',
    help: 'Certificates that changed: renewed, or refused while the old one stays in service.',
    labelNames: ['outcome'],
    registers,
  });
  for (const outcome of RELOAD_OUTCOMES) reloads.inc({ outcome }, 0);
  return { reloaded: (outcome) => reloads.inc({ outcome }) };
}
