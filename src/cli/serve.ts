import { loadConfig } from '../config/load.ts';
import { type Gateway, openGateway } from '../gateway.ts';
import { flushLog, type Logger, reopenLog } from '../observe/log.ts';
import { workersOf } from '../workers/orders.ts';
import type { Context } from './context.ts';
import { untilStopped } from './daemon.ts';
import { heedSignals } from './heed.ts';
import { checkMaterials } from './materials.ts';
import { openLog } from './serve/log.ts';
import { servePrimary } from './serve/primary.ts';
import { serveWorker } from './serve/worker.ts';

/**
 * `sallyport serve FILE`: runs the gateway until it is told to end, in as many processes as the configuration says. Resolves with the exit code. Throws
 * ConfigError for what is wrong with it, LogFileError where its log cannot be opened, and ListenerError where an address cannot be had.
 */
export async function serve(context: Context, file: string): Promise<number> {
  const { primary } = context.processes ?? {};
  if (primary !== undefined) return serveWorker(context, primary);
  const loaded = await loadConfig(file, context);
  const { config, warnings } = loaded;
  const size = workersOf(config);
  const logger = openLog(config.log, context, size > 1);
  try {
    for (const { message, ...place } of warnings) logger.warn({ file, ...place }, message);
    await checkMaterials(file, loaded);
    if (size > 1) return await servePrimary(context, loaded, { size, logger });
    return await run(context, openGateway(config, { logger }), logger);
  } finally {
    await flushLog(logger);
  }
}

/** Heeds signals while the gateway opens, too: keys may take a while to come. */
async function run(context: Context, opening: Promise<Gateway>, logger: Logger): Promise<number> {
  const unheed = heedSignals(context, opening, logger, () => reopenLog(logger));
  try {
    return await untilStopped(context, await opening, logger);
  } finally {
    await flushLog(logger);
    unheed();
  }
}
