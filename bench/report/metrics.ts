import type { Metric } from '../types.ts';

/** How a metric is named and written. */
interface MetricStyle {
  /** In a sentence. */
  readonly name: string;
  /** The heading of its column; `unit` is what the case counts, in the singular. */
  heading(unit: string): string;
  /** What follows a figure that stands alone. */
  readonly suffix: string;
  readonly lessIsBetter: boolean;
}

const STYLES: Readonly<Record<Metric, MetricStyle>> = {
  cpuUs: { name: 'CPU', heading: (unit) => `CPU µs/${unit}`, suffix: ' µs', lessIsBetter: true },
  rate: { name: 'rate', heading: (unit) => `${unit}s/s`, suffix: '/s', lessIsBetter: false },
  p50Us: { name: 'p50', heading: () => 'p50 µs', suffix: ' µs', lessIsBetter: true },
  p99Us: { name: 'p99', heading: () => 'p99 µs', suffix: ' µs', lessIsBetter: true },
  mbps: { name: 'throughput', heading: () => 'MB/s', suffix: ' MB/s', lessIsBetter: false },
  kibEach: { name: 'memory each', heading: () => 'KiB each', suffix: ' KiB', lessIsBetter: true },
  upstream: { name: 'upstream', heading: () => 'upstream', suffix: ' connections', lessIsBetter: true },
  mib: { name: 'growth', heading: () => 'MiB grown', suffix: ' MiB', lessIsBetter: true },
  busy: { name: 'busy', heading: () => 'busy', suffix: '', lessIsBetter: false },
};

export function styleOf(metric: Metric): MetricStyle {
  return STYLES[metric];
}

/** A figure without its unit: three digits that matter, thousands apart, a share as per cent; `–` for none. */
export function figure(metric: Metric, value: number | undefined): string {
  if (value === undefined) return '–';
  if (metric === 'busy') return `${Math.round(value * 100)} %`;
  return digits(value);
}

/** Two or three digits that matter: 0.083, 0.82, 10.6, 215, 54,321. */
export function digits(value: number): string {
  const size = Math.abs(value);
  const decimals = size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.0995 || size === 0 ? 2 : 3;
  return value.toLocaleString('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}
