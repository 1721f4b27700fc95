/**
 * What a process tells all others that share a store with it. What one of them tells is heard in its order; it may be late, and
 * it may come twice.
 */
export interface Channel {
  /** Those that hear it, as far as is known, without this one: by the names that `onTold` says. */
  readonly others: readonly string[];
  /** Tells all others, or will when they can be heard. `message` is JSON. Never throws. */
  tell(message: Message): void;
  /** Calls `listener` with what others tell: as they are of another version perhaps, not all of it makes sense. */
  onTold(listener: (message: Partial<Message>, from: string) => void): void;
}

export type Message =
  /** `what` of a topic is asked of all. */
  | { readonly kind: 'question'; readonly id: string; readonly topic: string; readonly what: unknown }
  /** To the question of this id; without `what` there is nothing to say. */
  | { readonly kind: 'answer'; readonly id: string; readonly what?: unknown }
  /** What has changed in registers. */
  | { readonly kind: 'lines'; readonly lines: readonly Line[] };

/** An entry of a register as it was written last. */
export interface Line {
  readonly topic: string;
  readonly name: string;
  /** Absent: it was struck out. */
  readonly text?: string | undefined;
  /** Milliseconds since the epoch; then it is forgotten, whether it was struck out or not. */
  readonly until: number;
  /** When it was written, in milliseconds since the epoch; higher than that of the line that it takes the place of. */
  readonly at: number;
  /** Of two of one moment the higher counts: a whole number below 2^32. */
  readonly chance: number;
}

/** Whether a line counts in the place of another one of its name. */
export function isLater(line: Line, other: Line | undefined): boolean {
  if (other === undefined || line.at !== other.at) return line.at > (other?.at ?? 0);
  return line.chance > other.chance;
}

/** Where lines are kept for those that begin later, or were away. Both reject where it cannot be reached. */
export interface Archive {
  /** Keeps each, unless there is a later one of its name. */
  write(lines: readonly Line[]): Promise<void>;
  /** All that are kept, some at a time. */
  read(): AsyncIterable<readonly Line[]>;
}
