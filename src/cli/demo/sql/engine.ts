import { type ChildProcessByStdio, fork } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Query, Result } from './result.ts';

const START_MS = 10_000;
const HEAP_MIB = 64;
/** Beside this file, with its ending: `.ts`, or `.js` when built. */
const PROGRAM = fileURLToPath(new URL(`./database${extname(import.meta.url)}`, import.meta.url));
/** That SQLite's interface in Node is new need not worry anybody. */
const FLAGS = ['--disable-warning=ExperimentalWarning', `--max-old-space-size=${HEAP_MIB}`];

/** Runs statements, one after the other, in a process of its own, which is ended when one takes too long. */
export interface Engine {
  query(query: Query): Promise<Result>;
  close(): Promise<void>;
}

/** The program is started at the first query. `deadlineMs`: for one query. */
export function createEngine({ deadlineMs = 2_000 } = {}): Engine {
  let program: Program | undefined;
  let last: Promise<unknown> = Promise.resolve();

  async function run(query: Query): Promise<Result> {
    try {
      program ??= await startProgram();
    } catch {
      return UNSTARTED;
    }
    try {
      return JSON.parse(await program.ask(JSON.stringify(query), deadlineMs));
    } catch {
      await program.end();
      program = undefined;
      return ENDED;
    }
  }

  return {
    query(query) {
      const result = last.then(() => run(query));
      last = result;
      return result;
    },
    async close() {
      await program?.end();
    },
  };
}

/** `query_canceled` */
const ENDED: Result = {
  code: '57014',
  message:
    'it took too long, or too much memory, and was ended; the database begins anew, with its first tables',
};

/** `system_error` */
const UNSTARTED: Result = { code: '58000', message: 'the database could not be started; ask again' };

interface Program {
  /** Resolves with the line that answers this one. Rejects if none has come in time, or none will. */
  ask(line: string, ms: number): Promise<string>;
  /** Resolves when it is gone. */
  end(): Promise<void>;
}

async function startProgram(): Promise<Program> {
  const child = fork(PROGRAM, [], { execArgv: FLAGS, stdio: ['pipe', 'pipe', 'ignore', 'ipc'] });
  const { stdin, stdout } = child as ChildProcessByStdio<Writable, Readable, null>;
  const gone = new AbortController();
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  for (const event of ['exit', 'error']) child.once(event, () => gone.abort());
  stdin.on('error', () => gone.abort());
  const lines = createInterface({ input: stdout });

  async function nextLine(ms: number): Promise<string> {
    const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(ms)]);
    const [line] = await once(lines, 'line', { signal });
    return line;
  }
  async function end(): Promise<void> {
    // One that was not started has no number: Node would signal anybody's.
    if (child.pid !== undefined) child.kill('SIGKILL');
    await exited;
  }

  try {
    await nextLine(START_MS);
  } catch (error) {
    await end();
    throw error;
  }
  return {
    ask(line, ms) {
      stdin.write(`${line}\n`);
      return nextLine(ms);
    },
    end,
  };
}
