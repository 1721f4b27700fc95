import type { LogConfig } from '../../config/schema.ts';
import { createLogger, type Logger } from '../../observe/log.ts';
import type { Context } from '../context.ts';

/**
 * Opens the log of `serve`, which several processes share or one has alone. A person who reads along gets pretty lines, unless
 * the configuration says otherwise. Throws LogFileError.
 */
export function openLog(
  { level, format, file }: LogConfig,
  { isTTY }: Pick<Context, 'isTTY'>,
  isShared: boolean,
): Logger {
  const isRead = isTTY && file === undefined;
  const shown = format ?? (isRead ? 'pretty' : 'json');
  return createLogger({ level, file, format: shown, colours: isRead, isShared });
}
