import { Counter, Gauge, type Registry } from 'prom-client';

/** What is known of the store that gateways share. */
export interface StoreRecord {
  readonly isAnswering: boolean;
  readonly isHearing: boolean;
  readonly gateways: number;
}

/** Tells in a registry how the shared store does, where there is one. The function that is returned counts an outage. */
export function createStoreMetrics(registry: Registry, store: () => StoreRecord | undefined): () => void {
  new Gauge({
    name: 'sallyport_store_answering',
    help: 'Whether the store that gateways share answers: 1, or 0 while each gateway judges by itself. Absent without one.',
    registers: [registry],
    collect() {
      collect(this, ({ isAnswering }) => Number(isAnswering));
    },
  });
  new Gauge({
    name: 'sallyport_store_hearing',
    help: 'Whether a gateway hears what the others tell, such as revocations: 1, or 0 until it does again, and catches up. Absent without a store.',
    registers: [registry],
    collect() {
      collect(this, ({ isHearing }) => Number(isHearing));
    },
  });
  new Gauge({
    name: 'sallyport_store_gateways',
    help: 'Gateways and workers that share the store, this one among them. Absent without one.',
    registers: [registry],
    collect() {
      collect(this, ({ gateways }) => gateways);
    },
  });
  const outages = new Counter({
    name: 'sallyport_store_outages_total',
    help: 'How often the store that gateways share stopped answering.',
    registers: [registry],
  });
  return () => outages.inc();

  function collect(gauge: Gauge, read: (record: StoreRecord) => number): void {
    const record = store();
    if (record === undefined) gauge.remove();
    else gauge.set(read(record));
  }
}
