#!/usr/bin/env node
import { closingOutput } from './cli/closing-output.ts';
import type { Context } from './cli/context.ts';
import { clusterOf } from './workers/cluster.ts';

/**
 * The process edge: arguments, environment, streams, signals and exit codes become a Context here. Everything else
 * is imported after the version check, since an older Node would fail on it with a stack trace.
 */

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 12)) {
  process.stderr.write(`sallyport needs Node 22.12 or newer; this is ${process.version}\n`);
  process.exit(1);
}

// Whoever reads them may leave, and a disk may be full: without a listener either would end the process.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

const context: Context = {
  argv: process.argv.slice(2),
  env: process.env,
  // Most commands read nothing: it is opened by those that do.
  get stdin() {
    return process.stdin;
  },
  stdout: process.stdout,
  stderr: process.stderr,
  isTTY: process.stdout.isTTY === true,
  isErrorTTY: process.stderr.isTTY === true,
  pipe: () => ({ input: process.stdin, output: closingOutput(process.stdout) }),
  onSignal: (handler) => listen(['SIGTERM', 'SIGINT'], handler),
  onReload: (handler) => listen(['SIGHUP'], handler),
  onReopen: (handler) => listen(['SIGUSR1'], handler),
  onIgnored: (handler) => listen(['SIGUSR2'], handler),
  processes: clusterOf(process),
  onCrash: (handler) => listen(['uncaughtException', 'unhandledRejection'], handler),
};

const { run } = await import('./cli/run.ts');
process.exit(await run(context));

function listen<T>(events: readonly string[], handler: (value: T) => void): () => void {
  for (const event of events) process.on(event, handler);
  return function unlisten() {
    for (const event of events) process.off(event, handler);
  };
}
