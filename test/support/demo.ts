import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { within } from './patience.ts';

/** A process of its own takes its time to start on a busy machine. */
const START_MS = 15_000;
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** A demo in a process of its own, in a folder of its own. */
export interface RunningDemo {
  /** `https://localhost:PORT` */
  readonly origin: string;
  /** The token it printed. */
  readonly token: string;
  /** Where it was started. */
  readonly folder: string;
  /** Ends it with Ctrl-C. Resolves with its exit code. */
  stop(): Promise<number>;
}

/** Starts the demo, of this program, on a free port and waits for its greeting. Rejects if it ends before that. */
export async function startDemo(program = MAIN): Promise<RunningDemo> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-demo-'));
  const child = spawnDemo(folder, 0, 'inherit', program);
  const exited = once(child, 'exit');
  const { origin, token } = await within(greeting(child), 'the greeting of the demo', START_MS).catch(
    (error) => {
      child.kill('SIGKILL');
      throw error;
    },
  );
  return {
    origin,
    token,
    folder,
    async stop() {
      child.kill('SIGINT');
      const [code] = await exited;
      await rm(folder, { recursive: true });
      return code;
    },
  };
}

/** Runs a demo that cannot start. Resolves with its exit code and what it said on stderr. */
export async function failedDemo(port: number): Promise<{ code: number; said: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-demo-'));
  const child = spawnDemo(folder, port, 'pipe');
  child.stdout?.resume();
  const [[code], said] = await Promise.all([
    once(child, 'exit'),
    text(child.stderr as NodeJS.ReadableStream),
  ]);
  await rm(folder, { recursive: true });
  return { code, said };
}

function spawnDemo(cwd: string, port: number, stderr: 'inherit' | 'pipe', program = MAIN): ChildProcess {
  const stdio = ['ignore', 'pipe', stderr] as const;
  // As `npm start` has it.
  const flags = ['--disable-warning=ExperimentalWarning'];
  return spawn(process.execPath, [...flags, program, 'demo', '--port', String(port)], {
    cwd,
    stdio: [...stdio],
  });
}

/** What the demo prints at its start; its later output is read and dropped. */
function greeting({ stdout }: ChildProcess): Promise<{ origin: string; token: string }> {
  return new Promise((resolve, reject) => {
    let heard = '';
    stdout?.setEncoding('utf8').on('data', function onData(chunk: string) {
      heard += chunk;
      const match = / is at (https:\/\/localhost:\d+)\n.* {4}(\S+\.\S+\.\S+)\n.*Ctrl-C stops/s.exec(heard);
      if (match === null) return;
      stdout.off('data', onData).resume();
      resolve({ origin: match[1] as string, token: match[2] as string });
    });
    stdout?.once('close', () => reject(new Error(`the demo ended before its greeting: ${heard}`)));
  });
}
