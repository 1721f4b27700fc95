import { type BigIntStats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';

/** How often files are looked at, in milliseconds. */
const EVERY_MS = 1_000;

/** What becomes of a file that has changed: what it holds is put into service, or what was before stays. */
export const RELOAD_OUTCOMES = ['renewed', 'refused'] as const;
export type ReloadOutcome = (typeof RELOAD_OUTCOMES)[number];

/** What files hold that are read again, besides certificates. */
export const FILE_KINDS = ['keys', 'credentials', 'targets', 'revocations'] as const;

/** Hears what becomes of files that have changed. Must not throw and must not wait. */
export interface FileObserver {
  reloaded(kind: (typeof FILE_KINDS)[number], outcome: ReloadOutcome): void;
}

interface Watch {
  readonly paths: readonly string[];
  readonly onChange: () => void | Promise<void>;
  /** What the files were like when they were used last. */
  used: string;
  /** What they were like at the last look. */
  seen: string;
}

/**
 * Tells when files have changed, by looking at them every second: that also works where a directory is mounted over the
 * network, and where a link is put in the place of another, as Kubernetes does. A change is told once it has been the same
 * for two looks, so that a certificate and its key, written one after the other, are told of together.
 */
export class WatchedFiles {
  readonly #everyMs: number;
  readonly #watches = new Set<Watch>();
  #timer: NodeJS.Timeout | undefined;
  #look: Promise<void> = Promise.resolve();
  #closed = false;

  constructor({ everyMs = EVERY_MS }: { readonly everyMs?: number } = {}) {
    this.#everyMs = everyMs;
  }

  /**
   * Calls `onChange` when one of `paths` has changed since this call; register before the files are read first. It must
   * not reject. Returns the undo.
   */
  watch(paths: readonly string[], onChange: Watch['onChange']): () => void {
    const now = paths.map(printNow).join('\n');
    const watch: Watch = { paths, onChange, used: now, seen: now };
    this.#watches.add(watch);
    this.#arm();
    return () => {
      this.#watches.delete(watch);
    };
  }

  /** Takes all files for changed. Resolves when everybody who watches one has been told, and has done with it. */
  async renew(): Promise<void> {
    await this.#look;
    await Promise.all([...this.#watches].map((watch) => this.#tell(watch)));
  }

  /** Looks no more; again is a no-op. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watches.clear();
  }

  #arm(): void {
    if (this.#closed || this.#timer !== undefined || this.#watches.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#look = this.#lookAtAll();
    }, this.#everyMs).unref();
  }

  async #lookAtAll(): Promise<void> {
    for (const watch of [...this.#watches]) await this.#lookAt(watch);
    this.#timer = undefined;
    this.#arm();
  }

  async #lookAt(watch: Watch): Promise<void> {
    const now = await printOf(watch.paths);
    const isSettled = now === watch.seen;
    watch.seen = now;
    if (isSettled && now !== watch.used && this.#watches.has(watch)) await this.#tell(watch);
  }

  async #tell(watch: Watch): Promise<void> {
    watch.seen = await printOf(watch.paths);
    watch.used = watch.seen;
    await watch.onChange();
  }
}

/** Changes when any of the files does, or is another one. */
async function printOf(paths: readonly string[]): Promise<string> {
  const prints = paths.map((path) => stat(path, { bigint: true }).then(printOfStats, () => 'none'));
  return (await Promise.all(prints)).join('\n');
}

function printNow(path: string): string {
  try {
    return printOfStats(statSync(path, { bigint: true }));
  } catch {
    return 'none';
  }
}

function printOfStats({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}
