/** The units of the configuration language: each parser returns undefined for text that is not one. */

const DURATION_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZE_BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** A rate: `count` events (or bytes) every `perMs` milliseconds. */
export interface Rate {
  readonly count: number;
  readonly perMs: number;
}

/** Reads `250ms`, `30s`, `5m`, `12h`, `7d` as milliseconds. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  if (!match) return undefined;
  const ms = Number(match[1]) * DURATION_MS[match[2] as keyof typeof DURATION_MS];
  // setTimeout holds at most 2^31-1 ms (24.8 days) and fires at once beyond it.
  return ms >= 1 && ms <= 2_147_483_647 ? Math.round(ms) : undefined;
}

/** Reads `512B`, `64KiB`, `1MiB`, `2GiB` as bytes. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB)$/.exec(text);
  if (!match) return undefined;
  const bytes = Math.round(Number(match[1]) * SIZE_BYTES[match[2] as keyof typeof SIZE_BYTES]);
  return bytes >= 1 && Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Reads `20/s`, `600/m`, `1000/h` as events per time. */
export function parseRate(text: string): Rate | undefined {
  const [amount, unit, rest] = text.split('/');
  const perMs = unitOfTime(unit);
  const count = Number(amount);
  if (rest !== undefined || perMs === undefined || !/^\d+$/.test(amount ?? '') || count < 1) return undefined;
  return { count, perMs };
}

/** Reads `1MiB/s`, `10MiB/m` as bytes per time. */
export function parseByteRate(text: string): Rate | undefined {
  const [amount, unit, rest] = text.split('/');
  const perMs = unitOfTime(unit);
  const count = parseSize(amount ?? '');
  if (rest !== undefined || perMs === undefined || count === undefined) return undefined;
  return { count, perMs };
}

function unitOfTime(unit: string | undefined): number | undefined {
  return unit === 's' || unit === 'm' || unit === 'h' ? DURATION_MS[unit] : undefined;
}
