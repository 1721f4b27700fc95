import { loadConfig } from '../config/load.ts';
import { createGateway } from '../gateway.ts';
import { createLogger, flushLog, type Logger } from '../observe/log.ts';
import { reopenLog } from '../observe/log-destination.ts';
import type { Context } from './context.ts';
import { untilStopped } from './daemon.ts';
import { heedSignals } from './heed.ts';
import { checkMaterials } from './materials.ts';

/**
 * `sallyport serve FILE`: runs the gateway until it is told to end. Resolves with the exit code. Throws ConfigError and
 * CommandError for what is wrong with it, and ListenerError where an address cannot be had.
 */
export async function serve(context: Context, file: string): Promise<number> {
  const { config, warnings } = await loadConfig(file, context);
  const logger = createLogger({ pretty: context.isTTY });
  try {
    for (const { message, ...place } of warnings) logger.warn({ file, ...place }, message);
    await checkMaterials(config);
    return await run(context, createGateway(config, { logger }), logger);
  } finally {
    await flushLog(logger);
  }
}

/** Heeds signals while the gateway opens, too: keys may take a while to come. */
async function run(
  context: Context,
  opening: ReturnType<typeof createGateway>,
  logger: Logger,
): Promise<number> {
  const unheed = heedSignals(context, opening, logger, () => reopenLog(logger));
  try {
    return await untilStopped(context, await opening, logger);
  } finally {
    await flushLog(logger);
    unheed();
  }
}
