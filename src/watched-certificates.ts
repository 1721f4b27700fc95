import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import { fileFault } from './config/files.ts';
import type { ReloadOutcome, WatchedFiles } from './watched-files.ts';

/** Hears how renewals come out. Must not throw and must not wait. */
export interface CertificateObserver {
  reloaded(outcome: ReloadOutcome): void;
}

/** A certificate in service, as observers see it. */
export interface CertificateRecord {
  /** The listener that uses it, as its address is configured; empty if it is for upstreams. */
  readonly listener: string;
  /** Its file. */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Files with certificates, and what is made of them. */
export interface CertificateSource<T> {
  readonly listener: string;
  readonly paths: readonly string[];
  /** Reads and judges them. Throws CertificateError. */
  read(): T;
  /** Puts what was read into service in place of what was. Throws or rejects with CertificateError if it cannot be; the old one stays then. */
  renew(value: T): void | Promise<void>;
  expiries(value: T): readonly Omit<CertificateRecord, 'listener'>[];
}

/** What is in service first, and the undo of the watching. */
export interface Watched<T> {
  readonly value: T;
  close(): void;
}

/** Reads certificates, and, if it can, again whenever they change. */
export interface CertificateWatch {
  /** Throws what `read` throws; nothing is watched then. */
  watch<T>(source: CertificateSource<T>): Watched<T>;
}

/** Reads them once. */
export const unwatched: CertificateWatch = { watch: ({ read }) => ({ value: read(), close() {} }) };

/** Whoever uses a certificate that ends sooner is warned. */
const WARNING_MS = 14 * 86_400_000;
/** How often that is looked at. */
const DAY_MS = 86_400_000;
/** What was refused may just not be valid yet, by a clock that is behind. */
const RETRY_MS = 60_000;

interface Entry {
  readonly close: () => void;
  records: readonly CertificateRecord[];
  /** Marks of what is in service, and of what was refused last. */
  served: string;
  refused?: string | undefined;
  retry?: NodeJS.Timeout | undefined;
  /** The renewals of one source, one after the other. */
  queue: Promise<void>;
}

/**
 * The certificates of one gateway. What has changed is put into service if it can be; what cannot is told of once, and the old
 * one stays. Tells of those that are about to end when they come into service, and once a day.
 */
export class WatchedCertificates implements CertificateWatch {
  readonly #files: WatchedFiles;
  readonly #logger: Logger;
  readonly #observer: CertificateObserver;
  readonly #entries = new Set<Entry>();
  readonly #daily: NodeJS.Timeout;

  constructor(files: WatchedFiles, logger: Logger, observer: CertificateObserver) {
    this.#files = files;
    this.#logger = logger;
    this.#observer = observer;
    this.#daily = setInterval(() => {
      for (const record of this) this.#warn(record);
    }, DAY_MS).unref();
  }

  *[Symbol.iterator](): Iterator<CertificateRecord> {
    for (const { records } of this.#entries) yield* records;
  }

  watch<T>(source: CertificateSource<T>): Watched<T> {
    const { listener, paths } = source;
    if (paths.length === 0) return unwatched.watch(source);
    const unwatch = this.#files.watch(paths, () => this.#enqueue(entry, source));
    const entry: Entry = {
      records: [],
      served: markOf(paths),
      queue: Promise.resolve(),
      close: () => {
        unwatch();
        clearTimeout(entry.retry);
        this.#entries.delete(entry);
      },
    };
    try {
      const value = source.read();
      this.#entries.add(entry);
      this.#record(entry, listener, source.expiries(value));
      return { value, close: entry.close };
    } catch (error) {
      unwatch();
      throw error;
    }
  }

  /** Watches no more; again is a no-op. */
  close(): void {
    clearInterval(this.#daily);
    for (const { close } of this.#entries) close();
  }

  #enqueue<T>(entry: Entry, source: CertificateSource<T>): Promise<void> {
    clearTimeout(entry.retry);
    entry.queue = entry.queue.then(() => this.#renew(entry, source));
    return entry.queue;
  }

  async #renew<T>(entry: Entry, source: CertificateSource<T>): Promise<void> {
    const { listener, paths } = source;
    const mark = markOf(paths);
    if (mark === entry.served || !this.#entries.has(entry)) return;
    try {
      const value = source.read();
      await source.renew(value);
      entry.served = mark;
      this.#observer.reloaded('renewed');
      this.#logger.info({ listener, files: paths }, 'a renewed certificate is in service');
      this.#record(entry, listener, source.expiries(value));
    } catch (error) {
      if (mark !== entry.refused) this.#complain(source, error);
      entry.refused = mark;
      entry.retry = setTimeout(() => void this.#enqueue(entry, source), RETRY_MS).unref();
    }
  }

  #record(entry: Entry, listener: string, expiries: readonly Omit<CertificateRecord, 'listener'>[]): void {
    entry.records = expiries.map((expiry) => ({ listener, ...expiry }));
    for (const record of entry.records) this.#warn(record);
  }

  #complain({ listener, paths }: CertificateSource<unknown>, error: unknown): void {
    this.#observer.reloaded('refused');
    const problem = error instanceof Error ? error.message : String(error);
    this.#logger.warn(
      { listener, files: paths, problem },
      'a renewed certificate is refused, the old one stays in service: mend the file, or put the old one back',
    );
  }

  #warn({ listener, name, expiresAt }: CertificateRecord): void {
    const ending = endingMessage(expiresAt);
    if (ending === undefined) return;
    this.#logger.warn({ listener, file: name, expires: new Date(expiresAt).toISOString() }, ending);
  }
}

/** What to say of a certificate that ends in the next two weeks, or has; undefined if it does not. */
export function endingMessage(expiresAt: number, now = Date.now()): string | undefined {
  const leftMs = expiresAt - now;
  if (leftMs > WARNING_MS) return undefined;
  if (leftMs <= 0) return 'the certificate has expired: renew it';
  const days = Math.floor(leftMs / DAY_MS);
  return `the certificate expires in ${days === 0 ? 'less than a day' : `${days} ${days === 1 ? 'day' : 'days'}`}: renew it`;
}

/** Differs where the content of the files does. */
function markOf(paths: readonly string[]): string {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(`${path}\0`).update(contentOf(path));
  return hash.digest('base64');
}

function contentOf(path: string): Buffer | string {
  try {
    return fileFault(path) ?? readFileSync(path);
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
