import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { fileFault, reason } from '../config/files.ts';
import { ConfigError, formatProblem } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import type { FileObserver, WatchedFiles } from '../watched-files.ts';
import { type RevocationList, readRevocationList } from './revocation-list.ts';
import type { Revocations } from './revocations.ts';

interface FileDeps {
  readonly files: Pick<WatchedFiles, 'watch'>;
  readonly logger: Logger;
  readonly reloads: FileObserver;
  readonly revocations: Revocations;
}

/** Problems that are logged at once. */
const MOST_LOGGED = 10;

/**
 * Revokes who stands in the file that the configuration names, if it names one, and in what is written there later, for as long as
 * `files` is open. Lines that make no sense are logged, and the others hold; a file that cannot be read changes nothing. Rejects with
 * ConfigError if it cannot be read now.
 */
export async function openRevocationFile(
  { revocations: file, issuers }: Pick<Config, 'revocations' | 'issuers'>,
  { files, logger, reloads, revocations }: FileDeps,
): Promise<void> {
  if (file === undefined) return;
  // Before it is read: else a change in between is never told of.
  files.watch([file], () => renew(file));
  use(await readRevocationFile(file, issuers));

  function use({ revoked, problems }: RevocationList): void {
    revocations.list(revoked);
    if (problems.length === 0) return;
    const shown = problems.slice(0, MOST_LOGGED).map((problem) => formatProblem(file ?? '', problem));
    logger.error(
      { file, bad: problems.length, problems: shown },
      'some lines of the revocations make no sense; the others hold',
    );
  }

  async function renew(file: string): Promise<void> {
    try {
      const before = [...revocations.listed].length;
      const list = await readRevocationFile(file, issuers, before === 0);
      use(list);
      reloads.reloaded('revocations', 'renewed');
      logger.info({ file, before, revoked: list.revoked.length }, 'the revocations have changed');
    } catch (error) {
      reloads.reloaded('revocations', 'refused');
      logger.error(
        { file, ...causeOf(error) },
        'the revocations cannot be read anew; those read before stay',
      );
    }
  }
}

/**
 * Reads a file of revocations, of 1 MiB at most. Where some are known, one without a word is one that somebody is about to write,
 * and one without a line that makes sense is another file, or in another encoding.
 * Rejects with ConfigError where it cannot be used at all.
 */
export async function readRevocationFile(
  file: string,
  issuers: Config['issuers'],
  mayBeBlank = true,
): Promise<RevocationList> {
  const text = await readText(file);
  if (!mayBeBlank && text.trim() === '')
    throw unusable(file, 'is empty: to take all back, write a line that begins with #');
  const list = readRevocationList(text, issuers);
  if (!mayBeBlank && list.revoked.length === 0 && list.problems.length > 0)
    throw new ConfigError(file, list.problems.slice(0, MOST_LOGGED));
  return list;
}

async function readText(file: string): Promise<string> {
  try {
    const fault = fileFault(file);
    if (fault === undefined) return await readFile(file, 'utf8');
    throw unusable(file, fault);
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw unusable(file, `cannot be read: ${reason(cause)}`, cause);
  }
}

function unusable(file: string, message: string, cause?: unknown): ConfigError {
  return new ConfigError(file, [{ line: 1, column: 1, path: '', message }], { cause });
}

function causeOf(error: unknown): object {
  if (!(error instanceof ConfigError)) return { err: error };
  return { problems: error.problems.map((problem) => formatProblem(error.file, problem)) };
}
