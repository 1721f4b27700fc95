import { loadConfig } from '../config/load.ts';
import { createGateway } from '../gateway.ts';
import { createLogger, flushLog } from '../observe/log.ts';
import type { Context } from './context.ts';
import { untilStopped } from './daemon.ts';
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
    const gateway = await createGateway(config, { logger });
    return await untilStopped(context, gateway, logger);
  } finally {
    await flushLog(logger);
  }
}
