import { MemoryNotes } from '../store/memory-commons.ts';
import { type Line as Entry, isLater, type Message } from '../store/shared/channel.ts';
import { type Join, type Part, type Put, TOPICS } from './commons-topics.ts';
import type { Line } from './line.ts';

/** Some hundred bytes each: those that are over go first, then the oldest. */
const MOST_LINES = 200_000;
/** Room is made for so many: to look at all of them takes long. */
const ROOM = 2_000;
/** Read at a time. */
const PART = 1_000;

/** What workers know together, as their primary keeps it and passes it on. */
export class Hub {
  readonly #notes = new MemoryNotes();
  readonly #lines = new Map<string, Entry>();
  readonly #workers = new Map<string, Line>();

  /** Answers a worker, which goes by this name. Returns its undo. */
  serve(worker: Line, name: string): () => void {
    worker.answer(TOPICS.join, () => this.#join(worker, name));
    worker.answer(TOPICS.tell, (message: Message) => this.#passOn(message, name));
    worker.answer(TOPICS.write, (lines: readonly Entry[]) => {
      for (const line of lines) this.#write(line);
    });
    worker.answer(TOPICS.read, this.#reader());
    worker.answer(TOPICS.put, ({ name: note, text, forMs }: Put) => this.#notes.put(note, text, forMs));
    worker.answer(TOPICS.take, (note: string) => this.#notes.take(note));
    return () => {
      this.#workers.delete(name);
      this.#tellOthers();
    };
  }

  #join(worker: Line, name: string): Join {
    this.#workers.set(name, worker);
    this.#tellOthers();
    return { others: this.#othersOf(name) };
  }

  #othersOf(name: string): string[] {
    return [...this.#workers.keys()].filter((other) => other !== name);
  }

  #tellOthers(): void {
    for (const [name, worker] of this.#workers) worker.say(TOPICS.others, this.#othersOf(name));
  }

  #passOn(message: Message, from: string): void {
    for (const [name, worker] of this.#workers) if (name !== from) worker.say(TOPICS.told, { message, from });
  }

  #write(line: Entry): void {
    const key = `${line.topic} ${line.name}`;
    const kept = this.#lines.get(key);
    if (!isLater(line, kept)) return;
    this.#lines.delete(key);
    this.#makeRoom();
    this.#lines.set(key, line);
  }

  #makeRoom(): void {
    if (this.#lines.size < MOST_LINES) return;
    const now = Date.now();
    for (const [key, { until }] of this.#lines) if (until <= now) this.#lines.delete(key);
    for (const oldest of this.#lines.keys()) {
      if (this.#lines.size <= MOST_LINES - ROOM) return;
      this.#lines.delete(oldest);
    }
  }

  /** One worker's: what it reads is what there was when it began. */
  #reader(): (at: number) => Part {
    let all: readonly Entry[] = [];
    return (at) => {
      const now = Date.now();
      if (at === 0) all = [...this.#lines.values()].filter(({ until }) => until > now);
      const lines = all.slice(at, at + PART);
      const isEnd = at + PART >= all.length;
      if (isEnd) all = [];
      return isEnd ? { lines } : { lines, next: at + PART };
    };
  }
}
