import { close, constants, openSync } from 'node:fs';
import { DescriptorQueue } from './descriptor-queue.ts';
import type { DroppedLines } from './dropped-lines.ts';
import type { LineQueue } from './line-queue.ts';

/** The file of a log could not be opened; the message says which, and why. */
export class LogFileError extends Error {
  constructor(path: string, cause: NodeJS.ErrnoException) {
    super(`log.file: cannot open ${path}: ${reasonOf(cause)}`, { cause });
    this.name = 'LogFileError';
  }
}

/** Lines on their way to a file, which is appended to, or made with mode 640. */
export class FileQueue implements LineQueue {
  readonly path: string;
  readonly #queue: DescriptorQueue;

  /** Throws LogFileError. */
  constructor(path: string, dropped: DroppedLines, mostAtOnce?: number) {
    this.path = path;
    this.#queue = new DescriptorQueue(openToAppend(path), dropped, mostAtOnce);
  }

  write(line: string): void {
    this.#queue.write(line);
  }

  flush(withinMs: number, done: () => void): void {
    this.#queue.flush(withinMs, done);
  }

  /**
   * Opens the path again: what is written from now on goes to the file that has that name now. Throws LogFileError, and all
   * stays as it was.
   */
  reopen(): void {
    const left = this.#queue.redirect(openToAppend(this.path));
    void left.then((descriptor) => close(descriptor, () => {}));
  }
}

const MODE = 0o640;

/** A pipe that nobody reads fails at once, instead of holding up the process. */
function openToAppend(path: string): number {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    return openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, MODE);
  } catch (error) {
    throw new LogFileError(path, error as NodeJS.ErrnoException);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'its folder does not exist; make it first',
  ENOTDIR: 'what should be its folder is a file',
  EISDIR: 'it is a folder; name a file in it',
  EACCES: 'permission denied; whoever runs sallyport must be allowed to write there',
  EPERM: 'permission denied; whoever runs sallyport must be allowed to write there',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  ENXIO: 'it is a pipe that nobody reads, or a socket',
  EMFILE: 'too many files are open',
};

function reasonOf({ code = '', message }: NodeJS.ErrnoException): string {
  return REASONS[code] ?? message;
}
