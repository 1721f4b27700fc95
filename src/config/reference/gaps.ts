import type { Example } from './examples.ts';
import { type Key, withInner } from './keys.ts';
import { shortestUse } from './uses.ts';

/** What the reference could not say, each with what to do about it. A key with one value only is its own example. */
export function gapsIn(keys: readonly Key[], examples: readonly Example[]): string[] {
  return withInner(keys).flatMap((key) => {
    const place = key.of === undefined ? key.place : `${key.place} (profile: ${key.of.profile})`;
    return [
      ...(key.meaning === undefined ? [`${place}: ${DESCRIBE}`] : []),
      ...(key.fallback === undefined ? [`${place}: ${FALL_BACK}`] : []),
      ...(key.only === undefined && shortestUse(key, examples) === undefined ? [`${place}: ${USE}`] : []),
    ];
  });
}

const DESCRIBE = 'describe it in src/config/, by .describe(…) in its last place; then npm run schema';
const FALL_BACK =
  'say at the end of its description what holds without it (…; absent: …), or give it a default (.prefault(…), as one would write it); then npm run schema';
const USE = 'use it in a file of config/examples/, without a warning; then npm run schema';
