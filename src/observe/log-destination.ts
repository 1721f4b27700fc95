import { constants, fstatSync, openSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { type Logger, pino } from 'pino';
import { DescriptorQueue } from './descriptor-queue.ts';
import { DroppedLines } from './dropped-lines.ts';
import { FileQueue } from './file-queue.ts';
import type { LineQueue } from './line-queue.ts';
import { StreamQueue } from './stream-queue.ts';

/** Together a second, which is all that a log may hold up the end of a process. */
const FLUSH_MS = 750;
const NOTICE_FLUSH_MS = 250;

/** Where the lines of a logger go. What cannot be written is dropped, counted, and told of on standard error. */
export class LogDestination {
  readonly #queue: LineQueue;
  readonly #dropped: DroppedLines;

  /** `open` makes the queue, which reports what it drops. */
  constructor(open: (dropped: DroppedLines) => LineQueue) {
    this.#dropped = new DroppedLines(giveNotice);
    this.#queue = open(this.#dropped);
  }

  /** How many lines were dropped since the start. */
  get droppedLines(): number {
    return this.#dropped.count;
  }

  /** The file that lines go to, where it is one that has been opened by its name. */
  get file(): FileQueue | undefined {
    return this.#queue instanceof FileQueue ? this.#queue : undefined;
  }

  write(line: string): void {
    this.#queue.write(line);
  }

  /** Calls `done` when what was logged is written or given up, after a second at the latest; pino's `flush`. */
  flush(done: () => void): void {
    this.#queue.flush(FLUSH_MS, () => {
      this.#dropped.tell();
      standardError().flush(NOTICE_FLUSH_MS, done);
    });
  }
}

/** A process has one standard output and one standard error, so all loggers share a queue for each. */
let output: LogDestination | undefined;
let errors: LineQueue | undefined;

/** `isShared` counts when it is opened: other processes write there, too. */
export function standardOutput(isShared = false): LogDestination {
  output ??= new LogDestination((dropped) => new DescriptorQueue(openAgain(1), dropped, atOnce(isShared)));
  return output;
}

function standardError(): LineQueue {
  errors ??= new DescriptorQueue(openAgain(2), new DroppedLines(() => {}));
  return errors;
}

/** A destination for a stream of the caller's. */
export function streamDestination(stream: Writable): LogDestination {
  return new LogDestination((dropped) => new StreamQueue(stream, dropped));
}

/** A destination for the file at `path`, which is appended to. Throws LogFileError. */
export function fileDestination(path: string, isShared = false): LogDestination {
  return new LogDestination((dropped) => new FileQueue(path, dropped, atOnce(isShared)));
}

/** What a pipe takes whole or not at all (PIPE_BUF of Linux; pipe(7)): the lines of several processes do not tear each other. */
function atOnce(isShared: boolean): number {
  return isShared ? 4_096 : Infinity;
}

/** Says one line where a person looks who starts the gateway, whatever becomes of the log. Never throws and never waits. */
export function noteOnStandardError(text: string): void {
  standardError().write(`sallyport: ${text}\n`);
}

/** Where a logger of `createLogger`, or one that it is a child of, writes to; undefined for any other logger. */
export function destinationOf(logger: Logger): LogDestination | undefined {
  const destination = (logger as { [pino.symbols.streamSym]?: unknown })[pino.symbols.streamSym];
  return destination instanceof LogDestination ? destination : undefined;
}

/** How many lines a logger, or one that it is a child of, has dropped. A logger that is not of `createLogger` tells nothing: 0. */
export function droppedLines(logger: Logger): number {
  return destinationOf(logger)?.droppedLines ?? 0;
}

function giveNotice(lines: number): void {
  noteOnStandardError(`log lines dropped: ${lines} (destination full, gone or not read)`);
}

/**
 * The pipe or terminal behind a descriptor, opened once more so that a write to it fails rather than waits when it is
 * full: a thread that waits cannot be ended, and neither can its process. Setting the flag on the descriptor itself
 * would also set it for the other processes that have it. A file has a place where the next write goes, which must
 * stay shared; a socket cannot be opened so. Both are used as they are.
 */
function openAgain(descriptor: number): number {
  try {
    if (fstatSync(descriptor).isFile()) return descriptor;
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    return openSync(`/dev/fd/${descriptor}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return descriptor;
  }
}
