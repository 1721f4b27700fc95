import type { Logger } from 'pino';
import type { ServiceAddress } from '../../config/fields.ts';
import { ConfigError, formatProblem } from '../../config/problem.ts';
import type { TableConfig } from '../../config/tcp/table.ts';
import { readTable, tablePaths } from '../../config/tcp/table-file.ts';
import type { FileObserver, WatchedFiles } from '../../watched-files.ts';
import { readAsked } from './asked.ts';

/** The services that clients may choose from, by name; those of a file as they stand in it now. */

export interface TableDeps {
  readonly files: Pick<WatchedFiles, 'watch'>;
  readonly logger: Logger;
  readonly reloads?: FileObserver | undefined;
}

/** Of a folder whose files change all the time; that they do is told later. */
const READS = 3;

type Entries = ReadonlyMap<string, ServiceAddress>;

/** Opened by `openTable`. A file that cannot be used any more changes nothing. */
export class TargetTable {
  readonly #deps: TableDeps;
  readonly #onChange: (entries: Iterable<ServiceAddress>) => void;
  #entries: Entries;
  #unwatch: (() => void) | undefined;
  /** Of a file: what of it is watched. */
  #watched = '';

  /** Throws ConfigError if a file does not serve. `onChange` gets all entries there are now. */
  constructor(
    config: TableConfig,
    deps: TableDeps,
    onChange: (entries: Iterable<ServiceAddress>) => void = () => {},
  ) {
    this.#deps = deps;
    this.#onChange = onChange;
    this.#entries =
      'file' in config ? this.#open(config.file) : keyed(Object.entries(config.entries), 'targets');
  }

  /** The service of that name; undefined if there is none. */
  find(name: string): ServiceAddress | undefined {
    return this.#entries.get(keyOf(name));
  }

  /** Its file is looked at no more. Again is a no-op. */
  close(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  /** Watched before it is read: else a change in between is never told of. */
  #open(file: string): Entries {
    try {
      return this.#read(file);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** In a folder files come and go. Those of which one is broken are watched, too, for it may be mended where it lies. */
  #read(file: string): Entries {
    for (let left = READS; ; left--) {
      this.#watch(file, tablePaths(file));
      const { entries, paths } = readTable(file);
      if (this.#watched === paths.join('\n') || left <= 1) return keyed(entries, file);
    }
  }

  #watch(file: string, paths: readonly string[]): void {
    if (this.#watched === paths.join('\n')) return;
    this.#watched = paths.join('\n');
    this.#unwatch?.();
    this.#unwatch = this.#deps.files.watch(paths, () => this.#renew(file));
  }

  #renew(file: string): void {
    const { logger, reloads } = this.#deps;
    try {
      const fresh = this.#read(file);
      if (textOf(fresh) === textOf(this.#entries)) return;
      this.#entries = fresh;
      this.#onChange(fresh.values());
      reloads?.reloaded('targets', 'renewed');
      logger.info({ file, targets: fresh.size }, 'the table of targets has changed');
    } catch (error) {
      reloads?.reloaded('targets', 'refused');
      const why =
        error instanceof ConfigError ? { problems: error.problems.map(told(error)) } : { err: error };
      logger.error({ file, ...why }, 'the table of targets cannot be read anew; the one read before stays');
    }
  }
}

function told({ file }: ConfigError) {
  return (problem: ConfigError['problems'][number]) => formatProblem(file, problem);
}

/** Throws ConfigError where two names are one: which of the two services it stands for, nobody could tell. */
function keyed(entries: Iterable<readonly [string, ServiceAddress]>, source: string): Entries {
  const all = [...entries];
  const found = new Map(all.map(([name, where]) => [keyOf(name), where]));
  if (found.size === all.length) return found;
  const message = 'two of the names are the same host:port in different spellings';
  throw new ConfigError(source, [{ line: 0, column: 0, path: '', message }]);
}

/** A name that is host:port is the same in any spelling; any other is a secret, or none, and taken as it stands. */
function keyOf(name: string): string {
  return readAsked(name)?.text ?? name;
}

function textOf(entries: Entries): string {
  return JSON.stringify([...entries]);
}
