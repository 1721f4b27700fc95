/** The units of the configuration language: each parser returns undefined for text that is not one. */

const DURATION_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZE_BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** A rate: `count` events (or bytes) every `perMs` milliseconds. */
export interface Rate {
  readonly count: number;
  readonly perMs: number;
}

export const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
export const SIZE = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB)$/;
export const RATE = /^(\d+)\/(s|m|h)$/;
export const BYTE_RATE = /^(\d+(?:\.\d+)?(?:B|KiB|MiB|GiB))\/(s|m|h)$/;

/** setTimeout holds at most 2^31-1 ms (24.8 days) and fires at once beyond it. */
const LONGEST_MS = 2 ** 31 - 1;

/** Reads `250ms`, `30s`, `5m`, `12h`, `7d` as milliseconds, at least 1, and no more than a timer holds unless told. */
export function parseDuration(text: string, longestMs: number = LONGEST_MS): number | undefined {
  const match = DURATION.exec(text);
  if (!match) return undefined;
  const ms = Math.round(Number(match[1]) * DURATION_MS[match[2] as keyof typeof DURATION_MS]);
  return ms >= 1 && ms <= longestMs ? ms : undefined;
}

/** Reads `512B`, `64KiB`, `1MiB`, `2GiB` as bytes, at least 1. */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text);
  if (!match) return undefined;
  const bytes = Math.round(Number(match[1]) * SIZE_BYTES[match[2] as keyof typeof SIZE_BYTES]);
  return bytes >= 1 && Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Reads `20/s`, `600/m`, `1000/h` as events per time, at least 1. */
export function parseRate(text: string): Rate | undefined {
  const match = RATE.exec(text);
  const count = Number(match?.[1]);
  return match && count >= 1 && Number.isSafeInteger(count)
    ? { count, perMs: unitOfTime(match[2]) }
    : undefined;
}

/** Reads `1MiB/s`, `10MiB/m` as bytes per time, at least 1. */
export function parseByteRate(text: string): Rate | undefined {
  const match = BYTE_RATE.exec(text);
  const count = parseSize(match?.[1] ?? '');
  return match && count !== undefined ? { count, perMs: unitOfTime(match[2]) } : undefined;
}

function unitOfTime(unit: string | undefined): number {
  return DURATION_MS[unit as keyof typeof DURATION_MS];
}

/** Writes bytes in the largest unit that divides them, as `parseSize` reads them. */
export function formatSize(bytes: number): string {
  const [unit, size] = Object.entries(SIZE_BYTES).findLast(([, each]) => bytes % each === 0) ?? ['B', 1];
  return `${bytes / size}${unit}`;
}

/** Writes `20/s`. */
export function formatRate({ count, perMs }: Rate): string {
  return `${count}/${nameOfTime(perMs)}`;
}

/** Writes `1MiB/s`. */
export function formatByteRate({ count, perMs }: Rate): string {
  return `${formatSize(count)}/${nameOfTime(perMs)}`;
}

function nameOfTime(perMs: number): string {
  return Object.entries(DURATION_MS).find(([, ms]) => ms === perMs)?.[0] ?? `${perMs}ms`;
}
