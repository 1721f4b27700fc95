import { Writable } from 'node:stream';
import { type DestinationStream, type LevelWithSilent, type Logger, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { LogFileError } from './file-queue.ts';
import {
  destinationOf,
  fileDestination,
  noteOnStandardError,
  standardOutput,
  streamDestination,
} from './log-destination.ts';
import { REDACTED, redactFields, redactText, SECRET_FIELDS } from './redact.ts';

export type { Logger };

/** What `createLogger` needs to know. */
export interface LoggerOptions {
  /** `pretty`: lines for a person; `json` unless given. */
  readonly format?: 'json' | 'pretty';
  /** Colours in lines that are pretty: for a terminal. */
  readonly colours?: boolean;
  /** Least severe level that is written; `info` unless given. */
  readonly level?: LevelWithSilent;
  /** A file that lines are appended to. */
  readonly file?: string;
  /** Where lines go if not to a file; standard output unless given. */
  readonly destination?: NodeJS.WritableStream;
  /** Other processes write there, too. */
  readonly isShared?: boolean;
}

/**
 * A pino logger whose lines are safe to keep: one JSON object a line, credentials redacted by the name of their
 * field at any depth, texts cut at 1 KiB, no control character or line separator in any of them. Throws LogFileError if its
 * file cannot be opened.
 *
 * No destination can hold up or end the process: at most 1 MiB of lines waits for it, further ones are dropped. Lines to
 * standard output and to a file are gathered for at most a fifth of a second; `flush` them before `process.exit`.
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  const { format = 'json', level = 'info', colours = false } = options;
  const hooks = format === 'pretty' ? { streamWrite: prettyFactory(forPeople(colours)) } : {};
  return pino({ ...SAFE, level, hooks }, openDestination(options));
}

function forPeople(colorize: boolean) {
  return { colorize, singleLine: true, translateTime: 'SYS:HH:MM:ss.l' };
}

/** What makes lines safe to keep. */
const SAFE = {
  base: null,
  timestamp: isoTime,
  formatters: { level: (label: string) => ({ level: label }), log: redactFields },
  // What a child logger is bound to passes by the formatters.
  redact: { paths: SECRET_FIELDS.map((name) => `["${name}"]`), censor: REDACTED },
  // `redactFields` has described errors already; pino's own serializer would copy whatever properties they have.
  serializers: { err: (described: unknown) => described, msg: redactText },
};

let lastMs = 0;
let lastTime = '';

/** pino's own `isoTime`, made once for all lines of a millisecond: all loggers have the same time. */
function isoTime(): string {
  const now = Date.now();
  if (now !== lastMs) {
    lastMs = now;
    lastTime = `,"time":"${new Date(now).toISOString()}"`;
  }
  return lastTime;
}

function openDestination({ file, destination, isShared }: LoggerOptions): DestinationStream {
  if (file !== undefined) return fileDestination(file, isShared);
  if (destination === undefined) return standardOutput(isShared);
  return destination instanceof Writable ? streamDestination(destination) : destination;
}

/** Resolves when all lines are written, or have been given up: after a second at the latest. */
export function flushLog(logger: Logger): Promise<void> {
  return new Promise((resolve) => logger.flush(() => resolve()));
}

/**
 * Opens the file of a logger again, as logrotate asks for after it has renamed it: from now on lines go to the new one, and none
 * is lost. If it cannot be opened they still go to the one before, which standard error and the log are told. Returns false
 * if the logger has no file. Never throws.
 */
export function reopenLog(logger: Logger): boolean {
  const file = destinationOf(logger)?.file;
  if (file === undefined) return false;
  try {
    file.reopen();
    logger.info({ file: file.path }, 'log file reopened');
  } catch (error) {
    const told = `${(error as LogFileError).message}; lines still go to the file that is open`;
    noteOnStandardError(told);
    logger.error({ file: file.path }, told);
  }
  return true;
}
