import type { Line } from '../store/shared/channel.ts';

/** What workers and their primary ask each other of what they know together. */
export const TOPICS = {
  /** From now on this worker hears what others tell: Join. */
  join: 'commons.join',
  /** To a worker: by which names the others go now. */
  others: 'commons.others',
  /** A message for all others; and to each of them, with whose it is. */
  tell: 'commons.tell',
  told: 'commons.told',
  /** Lines for the archive; and what lies there from a place on: Part. */
  write: 'commons.write',
  read: 'commons.read',
  /** Notes: Put, or the name of one that is taken. */
  put: 'commons.put',
  take: 'commons.take',
} as const;

export interface Join {
  readonly others: readonly string[];
}

/** Some of the lines that lay in the archive when the reading began. */
export interface Part {
  readonly lines: readonly Line[];
  /** Where the rest begins; absent: this is all. */
  readonly next?: number | undefined;
}

export interface Put {
  readonly name: string;
  readonly text: string;
  readonly forMs: number;
}
