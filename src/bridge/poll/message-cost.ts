import type { Message } from './profile.ts';

/** What a message costs in memory besides its bytes, about: many little ones, or empty ones, are not free. */
export const MESSAGE_OVERHEAD = 256;

/** What a message that waits costs, in bytes. */
export function costOf({ data }: Message): number {
  return data.length + MESSAGE_OVERHEAD;
}
