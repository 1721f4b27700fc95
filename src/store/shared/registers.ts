import type { Register, RegisterEntry, RegisterReader } from '../commons.ts';
import { type Archive, type Channel, isLater, type Line } from './channel.ts';

/** Some hundred bytes each: of more the oldest are forgotten, those first that are struck out. */
const MOST_LINES = 200_000;

/** Where there is room for no more, room is made for this part of them. */
const ROOMS = 100;

/** Lines that are written, and told, at once. */
const AT_ONCE = 64;

const SWEEP_MS = 60_000;

const CHANCES = 2 ** 32;

interface RegistersDeps {
  readonly channel: Channel;
  readonly archive: Archive;
  /** The time of day, in milliseconds since the epoch. */
  readonly now?: () => number;
  /** Lines that are held; absent: 200,000. */
  readonly most?: number;
}

/**
 * The registers of this process: whole copies, which all others have, too. A line is written to the archive first, and told when it
 * is there, so that who hears nothing reads it. Of two lines of one name the later counts wherever they meet: it does not matter in
 * which order they come, how often, or which way.
 */
export class Registers {
  readonly #deps: Required<RegistersDeps>;
  readonly #lines = new Map<string, Line>();
  /** Names of those that are struck out. */
  readonly #struckOut = new Set<string>();
  /** Those that the archive does not have yet. */
  readonly #untold = new Map<string, Line>();
  readonly #readers = new Map<string, Set<RegisterReader>>();
  readonly #sweeping: NodeJS.Timeout;
  #telling: Promise<void> | undefined;

  constructor({ channel, archive, now = Date.now, most = MOST_LINES }: RegistersDeps) {
    this.#deps = { channel, archive, now, most };
    this.#sweeping = setInterval(() => this.#sweep(), SWEEP_MS).unref();
    channel.onTold((message) => {
      if (message.kind === 'lines' && Array.isArray(message.lines))
        for (const line of message.lines) this.#hear(line);
    });
  }

  /** Lines held, those struck out among them. */
  get size(): number {
    return this.#lines.size;
  }

  register(topic: string): Register {
    return {
      put: (entry) => this.#put(topic, entry),
      remove: (name) => this.#remove(topic, name),
      listen: (reader) => this.#listen(topic, reader),
    };
  }

  /** Writes and tells what may not have been heard. Never rejects; called meanwhile it is the same. */
  repeat(): Promise<void> {
    this.#telling ??= this.#tellAll();
    return this.#telling;
  }

  /** Reads what others have written, and writes what is not there, or not any more. Rejects where the archive does. */
  async synchronize(): Promise<void> {
    const missing = new Map(this.#lines);
    for await (const lines of this.#deps.archive.read()) {
      for (const line of lines) {
        const key = keyOf(line);
        const known = missing.get(key);
        if (known !== undefined && !isLater(known, line)) missing.delete(key);
        this.#hear(line);
      }
    }
    for (const [key, line] of missing) if (this.#lines.get(key) === line) this.#untold.set(key, line);
    await this.repeat();
  }

  /** Again is a no-op. */
  close(): void {
    clearInterval(this.#sweeping);
  }

  #put(topic: string, { name, text, until }: RegisterEntry): void {
    this.#write({ topic, name, text, until: Math.ceil(until) });
  }

  #remove(topic: string, name: string): void {
    const known = this.#lines.get(keyOf({ topic, name }));
    if (known?.text === undefined) return;
    this.#write({ topic, name, until: known.until });
  }

  #write(written: Omit<Line, 'at' | 'chance'>): void {
    const key = keyOf(written);
    // Later than what this process knows, however clocks differ.
    const at = Math.max(Math.floor(this.#deps.now()), (this.#lines.get(key)?.at ?? 0) + 1);
    const line = { ...written, at, chance: Math.floor(Math.random() * CHANCES) };
    this.#keep(key, line);
    this.#untold.set(key, line);
    void this.repeat();
  }

  #hear(line: unknown): void {
    if (!isLine(line) || line.until <= this.#deps.now()) return;
    const key = keyOf(line);
    const known = this.#lines.get(key);
    if (!isLater(line, known)) return;
    this.#keep(key, line);
    const { topic, name, text, until } = line;
    if (known?.text === text && known?.until === until) return;
    for (const reader of this.#readers.get(topic) ?? []) {
      if (text === undefined) reader.removed(name);
      else reader.put({ name, text, until });
    }
  }

  #keep(key: string, line: Line): void {
    this.#forget(key);
    this.#lines.set(key, line);
    if (line.text === undefined) this.#struckOut.add(key);
    if (this.#lines.size > this.#deps.most) this.#makeRoom();
  }

  /** What nobody reads goes first; then who reads it is told. Many go at once: to find the oldest takes longer than to forget it. */
  #makeRoom(): void {
    let count = Math.ceil(this.#deps.most / ROOMS);
    for (const oldest of this.#struckOut.size > 0 ? this.#struckOut : this.#lines.keys()) {
      this.#drop(oldest);
      count -= 1;
      if (count === 0) return;
    }
  }

  #drop(key: string): void {
    const line = this.#lines.get(key);
    this.#forget(key);
    if (line?.text === undefined) return;
    for (const reader of this.#readers.get(line.topic) ?? []) reader.removed(line.name);
  }

  #listen(topic: string, reader: RegisterReader): () => void {
    const readers = this.#readers.get(topic) ?? new Set();
    this.#readers.set(topic, readers.add(reader));
    const now = this.#deps.now();
    for (const { name, text, until, topic: its } of this.#lines.values())
      if (its === topic && text !== undefined && until > now) reader.put({ name, text, until });
    return () => void readers.delete(reader);
  }

  async #tellAll(): Promise<void> {
    // What is written in the same turn of the event loop goes together.
    await Promise.resolve();
    try {
      while (this.#untold.size > 0) await this.#tell([...this.#untold.values()]);
    } catch {
      // Whoever reaches the archive again says so.
    }
    this.#telling = undefined;
  }

  async #tell(all: readonly Line[]): Promise<void> {
    const { archive, channel } = this.#deps;
    for (let at = 0; at < all.length; at += AT_ONCE) {
      const lines = all.slice(at, at + AT_ONCE);
      await archive.write(lines);
      channel.tell({ kind: 'lines', lines });
      for (const line of lines) if (this.#untold.get(keyOf(line)) === line) this.#untold.delete(keyOf(line));
    }
  }

  #sweep(): void {
    const now = this.#deps.now();
    for (const [key, { until }] of this.#lines) if (until <= now) this.#forget(key);
  }

  #forget(key: string): void {
    this.#lines.delete(key);
    this.#struckOut.delete(key);
    this.#untold.delete(key);
  }
}

/** Topics have no space. */
function keyOf({ topic, name }: Pick<Line, 'topic' | 'name'>): string {
  return `${topic} ${name}`;
}

function isLine(given: unknown): given is Line {
  if (typeof given !== 'object' || given === null) return false;
  const { topic, name, text, until, at, chance } = given as Partial<Line>;
  const isNamed = typeof topic === 'string' && typeof name === 'string';
  const isText = text === undefined || typeof text === 'string';
  return isNamed && isText && [until, at, chance].every(Number.isSafeInteger);
}
