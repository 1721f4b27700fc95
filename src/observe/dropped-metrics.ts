import { Counter, type Registry } from 'prom-client';

/** Tells in a registry how many lines the log has dropped: it has its own count, which is read at each scrape. */
export function countDroppedLines(registry: Registry, droppedLines: () => number): void {
  new Counter({
    name: 'sallyport_log_lines_dropped_total',
    help: 'Log lines dropped because their destination was full, gone or not read.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(droppedLines());
    },
  });
}
