/**
 * What the processes that share a store know together, besides counts. Nothing that is told here holds a token: names are
 * hashes where they would be secrets.
 */
export interface Commons {
  readonly notes: Notes;
  readonly broadcast: Broadcast;
  /** Others are heard, and hear, as far as is known; absent: always. */
  readonly isHearing?: boolean;
  /** The register of a topic: the same one each time. */
  register(topic: string): Register;
}

/** Short texts by name, each for a time, of which nobody but who takes one has a copy. */
export interface Notes {
  /**
   * Keeps a text for so many milliseconds. Resolves with false, and keeps nothing, if there is one of this name. Rejects with
   * STORE_UNAVAILABLE where it can be kept nowhere.
   */
  put(name: string, text: string, forMs: number): Promise<boolean>;
  /** Takes it out: of all who ask for it one gets it. Rejects with STORE_UNAVAILABLE where nobody knows. */
  take(name: string): Promise<string | undefined>;
}

/** Questions that every process hears, who asks among them. */
export interface Broadcast {
  /**
   * Asks all, and resolves with the answers that came in time (absent: 500 ms), its own first. Rejects with nothing: who cannot be heard
   * now hears it later, and its answer is lost. `what` and the answers are JSON.
   */
  ask(topic: string, what: unknown, withinMs?: number): Promise<readonly unknown[]>;
  /** How this process answers to a topic; it is asked in the same turn of the event loop by itself. Returns the undo. */
  answer(topic: string, answerer: (what: unknown) => unknown): () => void;
}

/** An entry of a register. `until` is when it is forgotten, in milliseconds since the epoch. */
export interface RegisterEntry {
  readonly name: string;
  readonly text: string;
  readonly until: number;
}

/** A list that every process has a whole copy of: what one writes all others read, those that were away or begin later, too. */
export interface Register {
  /** Writes an entry for the others. They have it as soon as they can be heard; never throws. */
  put(entry: RegisterEntry): void;
  /** Strikes it out. */
  remove(name: string): void;
  /** Hears what others write and strike out, and what stood there before. Returns the undo. */
  listen(reader: RegisterReader): () => void;
}

export interface RegisterReader {
  put(entry: RegisterEntry): void;
  removed(name: string): void;
}
