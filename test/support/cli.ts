import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { onTestFinished } from 'vitest';
import type { Context } from '../../src/cli/context.ts';
import { run } from '../../src/cli/run.ts';
import { within } from './patience.ts';

/** A process of its own takes its time to start on a busy machine. */
const START_MS = 20_000;

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `sallyport` with these arguments inside this process. */
export async function sallyport(
  argv: readonly string[],
  env: Context['env'] = {},
  stdin = '',
): Promise<Outcome> {
  let out = '';
  let err = '';
  const code = await run({
    argv,
    env,
    stdin: Readable.from([stdin]),
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    isTTY: false,
    isErrorTTY: false,
    pipe: () => ({ input: Readable.from([stdin]), output: new Writable() }),
    onSignal: () => () => {},
    onReload: () => () => {},
    onReopen: () => () => {},
    onIgnored: () => () => {},
    onCrash: () => () => {},
  });
  return { code, out, err };
}

/** A folder of its own for a test, with these files in it; gone when the test is over. */
export async function folderWith(files: Readonly<Record<string, string>>): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-cli-'));
  onTestFinished(() => rm(path, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
  return path;
}

/** What a process is given to run with. */
interface Surroundings {
  /** Descriptors in place of the pipes that are read here. */
  readonly stdout?: 'pipe' | number;
  readonly stderr?: 'pipe' | number;
  /** What is run in the place of the command line. */
  readonly program?: string;
  /** How many files it may have open. */
  readonly openFiles?: number | 'unlimited';
}

/** `sallyport` in a process of its own, killed at the end of the test if it still runs. */
export class Process {
  out = '';
  err = '';
  readonly exit: Promise<number | null>;
  readonly #child: ChildProcess;

  constructor(
    argv: readonly string[],
    env: Readonly<Record<string, string>> = {},
    { stdout = 'pipe', stderr = 'pipe', openFiles = 'unlimited', program = 'src/main.ts' }: Surroundings = {},
  ) {
    const line = [process.execPath, program, ...argv];
    const [command, ...args] =
      openFiles === 'unlimited' ? line : ['sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`, ...line];
    this.#child = spawn(command as string, args, {
      env: { ...process.env, ...env },
      stdio: ['pipe', stdout, stderr],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
    });
    this.exit = once(this.#child, 'close').then(([code]) => code as number | null);
    onTestFinished(async () => {
      this.#child.kill('SIGKILL');
      await this.exit;
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Resolves with the first line of output that matches; rejects if the process ends without one. */
  async line(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.out
        .split('\n')
        .slice(0, -1)
        .find((line) => pattern.test(line));
      if (found !== undefined) return found;
      const more = once(this.#child.stdout as NodeJS.ReadableStream, 'data');
      const ended = this.exit.then((code) =>
        Promise.reject(new Error(`ended with ${code}: ${this.out}${this.err}`)),
      );
      await within(Promise.race([more, ended]), `a line like ${pattern}`, START_MS);
    }
  }
}

/** `sallyport serve` with this configuration in a process of its own; `port` is its first listener's. */
export async function startServing(
  config: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ daemon: Process; port: number }> {
  const folder = await folderWith({ 'gate.yaml': config });
  const daemon = new Process(['serve', join(folder, 'gate.yaml')], env);
  const line = await daemon.line(/"listening"/);
  return { daemon, port: JSON.parse(line).port };
}
