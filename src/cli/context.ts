import type { Readable, Writable } from 'node:stream';
import type { Processes } from '../workers/processes.ts';

export { packageVersion } from '../observe/build.ts';

/** What a command sees of the process it runs in; made by `main.ts`, and by tests. */
export interface Context {
  /** Arguments after the program's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What is piped in. */
  readonly stdin: AsyncIterable<string | Uint8Array>;
  readonly stdout: Output;
  readonly stderr: Output;
  /** A person reads `stdout` in a terminal. */
  readonly isTTY: boolean;
  /** A person reads `stderr` in a terminal. */
  readonly isErrorTTY: boolean;
  /** Opens stdin and stdout as what carries bytes and makes whoever is faster wait; the end of the output closes it. */
  pipe(): { readonly input: Readable; readonly output: Writable };
  /** Calls `handler` at every SIGTERM and SIGINT in place of the end of the process. Returns its undo. */
  onSignal(handler: (signal: string) => void): () => void;
  /** Calls `handler` at every SIGHUP in place of the end of the process. Returns its undo. */
  onReload(handler: () => void): () => void;
  /** Calls `handler` at every SIGUSR1 in place of Node's debugger. Returns its undo. */
  onReopen(handler: () => void): () => void;
  /** Calls `handler` at signals that mean nothing here, in place of the end of the process. Returns its undo. */
  onIgnored(handler: (signal: string) => void): () => void;
  /** Calls `handler` with what nobody caught, in place of the end of the process. Returns its undo. */
  onCrash(handler: (error: unknown) => void): () => void;
  /** How it becomes several processes. Absent: it cannot. */
  readonly processes?: Processes;
}

/** Where text goes; a stream is one. */
export interface Output {
  write(text: string): unknown;
}

/** How a command ends. */
export const EXIT = { ok: 0, failure: 1, usage: 2 } as const;

/** A failure whose message is for the person at the terminal: one line, no stack trace. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.failure, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}
