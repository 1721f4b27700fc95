import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { programPath } from './servers.ts';

/** What a program has said and how it ended. */
export interface Ran {
  /** Its exit code, 128 and more if it was killed. */
  readonly code: number;
  /** Octets as Latin-1. */
  readonly output: string;
  readonly errors: string;
}

const RUN_MS = 60_000;

/** Runs a client from Debian to its end; killed if that does not come in a minute, or when the test has finished. */
export async function run(
  [name, debianPackage]: readonly [string, string],
  args: readonly string[],
  input: string | Buffer = '',
): Promise<Ran> {
  const child = spawn(programPath(name, debianPackage), args, { timeout: RUN_MS, killSignal: 'SIGKILL' });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  child.stdin.on('error', () => {}).end(input);
  const [[code], output, errors] = await Promise.all([
    once(child, 'exit') as Promise<[number | null]>,
    buffer(child.stdout),
    buffer(child.stderr),
  ]);
  return { code: code ?? 128, output: output.toString('latin1'), errors: errors.toString() };
}

/** curl, without the settings of whoever runs the test. */
export function curl(args: readonly string[], input: string | Buffer = ''): Promise<Ran> {
  return run(['curl', 'curl'], ['-q', '--silent', '--show-error', '--max-time', '30', ...args], input);
}
