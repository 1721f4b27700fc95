import type { LoadedConfig } from '../../config/load.ts';
import { flushLog, type Logger, reopenLog } from '../../observe/log.ts';
import { startPrimary } from '../../workers/primary.ts';
import { CommandError, type Context } from '../context.ts';
import { untilStopped } from '../daemon.ts';
import { heedSignals } from '../heed.ts';

interface PrimaryOptions {
  /** How many workers. */
  readonly size: number;
  readonly logger: Logger;
}

/** Runs the gateway in several processes, of which this is the primary, until it is told to end. Resolves with the exit code. */
export async function servePrimary(
  context: Context,
  loaded: LoadedConfig,
  { size, logger }: PrimaryOptions,
): Promise<number> {
  const { fork } = context.processes ?? {};
  if (fork === undefined)
    throw new CommandError(
      'workers: this process is itself a worker of another program: start sallyport by itself, or remove `workers`',
    );
  const opening = startPrimary(loaded, { fork, size, logger });
  let isAsked = false;
  let reopen = () => {
    isAsked = true;
    return reopenLog(logger);
  };
  const unheed = heedSignals(context, opening, logger, () => reopen());
  try {
    const primary = await opening;
    reopen = primary.reopen;
    // They may have opened it before it was asked for.
    if (isAsked) reopen();
    const exitCode = await untilStopped(context, primary, logger);
    await primary.end();
    return exitCode;
  } finally {
    await flushLog(logger);
    unheed();
  }
}
