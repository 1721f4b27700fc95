import autocannon from 'autocannon';
import { cpuSeconds } from '../measure/proc.ts';
import type { Sample } from '../types.ts';
import type { Answer } from './load.ts';

/** The load process for plain HTTP: takes one order from its parent, answers it, and stays until it is ended. */

/** What it is told. */
export interface HttpOrder {
  url: string;
  headers: Record<string, string>;
  connections: number;
  /** The only status that may come back. */
  status: number;
  seconds: number;
  warmUp: number;
  /** The peer's process. */
  pid: number;
}

process.once('message', (order: HttpOrder) => void obey(order));
process.once('disconnect', () => process.exit());

async function obey(order: HttpOrder): Promise<void> {
  try {
    await shoot(order, order.warmUp);
    process.send?.({ sample: await measure(order) } satisfies Answer);
  } catch (error) {
    process.send?.({ error: String(error) } satisfies Answer);
  }
}

async function measure(order: HttpOrder): Promise<Sample> {
  const before = { cpu: cpuSeconds(order.pid), time: performance.now() };
  const { statusCodeStats = {}, errors, requests, latency } = await shoot(order, order.seconds);
  const elapsed = (performance.now() - before.time) / 1000;
  const cpu = cpuSeconds(order.pid) - before.cpu;
  const strays = Object.keys(statusCodeStats).filter((code) => Number(code) !== order.status);
  if (strays.length > 0 || errors > 0) throw new Error(`answered with ${strays.join(', ') || 'errors'}`);
  const count = requests.total;
  return {
    rate: count / elapsed,
    cpuUs: (cpu * 1e6) / count,
    p99Us: latency.p99 * 1000,
    busy: cpu / elapsed,
  };
}

/** Requests as fast as they are answered. */
function shoot({ url, headers, connections }: HttpOrder, seconds: number): Promise<autocannon.Result> {
  // It ends at a multiple of `sampleInt` (ms).
  return autocannon({ url, headers, connections, duration: seconds, sampleInt: 50 });
}
