import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { type Ran, run } from './programs.ts';
import { programPath, type RunningServer, startServer } from './servers.ts';

/** Libraries of WebSockets in Debian's Python. */
export const LIBRARIES = ['websockets', 'aiohttp', 'tornado'] as const;

/** Starts one of our programs in Python, whose last argument is the port it is to serve; stopped with the test. */
export async function startPython(script: string, ...args: readonly string[]): Promise<RunningServer> {
  const server = await startServer(programPath('python3', 'python3'), async (_folder, port) => ({
    args: ['-B', fileOf(script), ...args, String(port)],
  }));
  onTestFinished(() => server.close());
  return server;
}

/** Runs one of our programs in Python to its end. */
export function runPython(script: string, ...args: readonly string[]): Promise<Ran> {
  return run(['python3', 'python3'], ['-B', fileOf(script), ...args]);
}

function fileOf(script: string): string {
  return fileURLToPath(new URL(`python/${script}`, import.meta.url));
}
