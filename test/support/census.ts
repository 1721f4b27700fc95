import { eventually } from './patience.ts';

export { eventually } from './patience.ts';

/** What this process holds open: the count that must come back to where it was. */

/** Sockets, servers, requests and timers that keep the process alive, by kind. */
export function census(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** Vitest sets a timer of 100 ms when a test begins: counted as ours, it would hide one that we forget. */
const RUNNER_MS = 120;

/** The census to come back to: without what the test runner has open for the moment. */
export async function quietCensus(): Promise<Record<string, number>> {
  await new Promise((resolve) => setTimeout(resolve, RUNNER_MS));
  return census();
}

/**
 * Resolves when nothing is open beyond `before`; rejects, with what still is, after `ms`. A timer that was forgotten is seen
 * only if it is set for longer: tests that count give their routes long timeouts.
 */
export async function backTo(before: Record<string, number>, ms = 2_000): Promise<void> {
  const excess = () => Object.entries(census()).filter(([kind, count]) => count > (before[kind] ?? 0));
  await eventually(
    () => excess().length === 0,
    () => `still open: ${JSON.stringify(excess())}`,
    ms,
  );
}

/** The value of one metric: the sum over all its lines that carry these labels. */
export function metric(text: string, name: string, labels: Record<string, string> = {}): number {
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  const fitting = lines.filter((line) => wanted.every((label) => line.includes(label)));
  return fitting.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
