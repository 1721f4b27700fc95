import { loadConfig } from '../config/load.ts';
import type { LogConfig } from '../config/schema.ts';
import { createGateway } from '../gateway.ts';
import { createLogger, flushLog, type Logger } from '../observe/log.ts';
import type { Context } from './context.ts';
import { untilStopped } from './daemon.ts';
import { checkMaterials } from './materials.ts';

/**
 * `sallyport serve FILE`: runs the gateway until it is told to end. Resolves with the exit code. Throws ConfigError and
 * CommandError for what is wrong with it, LogFileError where its log cannot be opened, and ListenerError where an address cannot be had.
 */
export async function serve(context: Context, file: string): Promise<number> {
  const { config, warnings } = await loadConfig(file, context);
  const logger = openLog(config.log, context);
  try {
    for (const { message, ...place } of warnings) logger.warn({ file, ...place }, message);
    await checkMaterials(config);
    const gateway = await createGateway(config, { logger });
    return await untilStopped(context, gateway, logger);
  } finally {
    await flushLog(logger);
  }
}

/** A person who reads along gets pretty lines, unless the configuration says otherwise. */
function openLog({ level, format, file }: LogConfig, { isTTY }: Context): Logger {
  const isRead = isTTY && file === undefined;
  return createLogger({ level, file, format: format ?? (isRead ? 'pretty' : 'json'), colours: isRead });
}
