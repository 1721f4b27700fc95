import { readFile } from 'node:fs/promises';

/** For Node itself, the admin listener, the log, connections that are on their way in or out, and what fetches keys. */
const KEPT_BACK = 64;

/** How many files this process may have open; undefined where there is no limit, or the system does not tell. */
export async function readDescriptorLimit(file = '/proc/self/limits'): Promise<number | undefined> {
  try {
    return parseDescriptorLimit(await readFile(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** The soft limit that a text like Linux' `/proc/self/limits` gives. */
export function parseDescriptorLimit(text: string): number | undefined {
  const soft = /^Max open files +(\d+) /m.exec(text)?.[1];
  return soft === undefined ? undefined : Number(soft);
}

/**
 * How many requests and sessions fit into so many descriptors, each with one for its client and `upstream` for its upstream,
 * when `more` are kept back for others.
 */
export function connectionsWithin(descriptors: number | undefined, upstream: number, more = 0): number {
  if (descriptors === undefined) return Infinity;
  return Math.max(1, Math.floor((descriptors - KEPT_BACK - more) / (1 + upstream)));
}
