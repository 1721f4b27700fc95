import { loadConfig } from '../config/load.ts';
import type { LogConfig } from '../config/schema.ts';
import { createGateway } from '../gateway.ts';
import { createLogger, flushLog, type Logger, reopenLog } from '../observe/log.ts';
import type { Context } from './context.ts';
import { untilStopped } from './daemon.ts';
import { heedSignals } from './heed.ts';
import { checkMaterials } from './materials.ts';

/**
 * `sallyport serve FILE`: runs the gateway until it is told to end. Resolves with the exit code. Throws ConfigError for what is wrong with it, LogFileError where its log cannot be opened, and ListenerError where an address cannot be had.
 */
export async function serve(context: Context, file: string): Promise<number> {
  const loaded = await loadConfig(file, context);
  const { config, warnings } = loaded;
  const logger = openLog(config.log, context);
  try {
    for (const { message, ...place } of warnings) logger.warn({ file, ...place }, message);
    await checkMaterials(file, loaded);
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

/** A person who reads along gets pretty lines, unless the configuration says otherwise. */
function openLog({ level, format, file }: LogConfig, { isTTY }: Context): Logger {
  const isRead = isTTY && file === undefined;
  return createLogger({ level, file, format: format ?? (isRead ? 'pretty' : 'json'), colours: isRead });
}
