import type { Case } from '../types.ts';

/** Names cases, a line each, with what they measure of whom. */
export function toList(cases: readonly Case[]): string {
  const width = Math.max(0, ...cases.map(({ name }) => name.length));
  const lines = cases.map(
    ({ name, group, title, peers }) => `${name.padEnd(width)}  ${group}: ${title} (${peers.join(', ')})\n`,
  );
  return lines.join('');
}
