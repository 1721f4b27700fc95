import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { programPath, startServer } from './servers.ts';

/** Displays below it somebody may have who sits at this machine. */
const FIRST_DISPLAY = 90;

export interface Desktop {
  readonly port: number;
  /** Runs an X program on it, until the test has finished. */
  run(name: string, debianPackage: string, args: readonly string[]): void;
}

/** A TigerVNC desktop of 640 × 480 that takes everybody; gone when the test has finished. */
export async function startDesktop(): Promise<Desktop> {
  const display = freeDisplay();
  const server = await startServer(
    programPath('Xtigervnc', 'tigervnc-standalone-server'),
    async (_folder, port) => {
      const screen = ['-geometry', '640x480', '-depth', '24', '-nolisten', 'tcp'];
      return { args: [display, ...screen, '-rfbport', `${port}`, '-localhost', '-SecurityTypes', 'None'] };
    },
  );
  onTestFinished(() => server.close());
  return {
    port: server.port,
    run: (name, debianPackage, args) =>
      runProgram(programPath(name, debianPackage), ['-display', display, ...args]),
  };
}

function freeDisplay(): string {
  let number = FIRST_DISPLAY;
  while (existsSync(`/tmp/.X11-unix/X${number}`) || existsSync(`/tmp/.X${number}-lock`)) number++;
  return `:${number}`;
}

function runProgram(program: string, args: readonly string[]): void {
  const child = spawn(program, args, { stdio: 'ignore' });
  const exited = once(child, 'exit');
  onTestFinished(async () => {
    child.kill();
    await exited;
  });
}
