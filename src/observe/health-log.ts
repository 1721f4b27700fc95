import type { DialObserver } from '../upstream/context.ts';
import type { Logger } from './log.ts';
import { describeError } from './redact.ts';

/**
 * Logs when a target is taken out of service, and when it is back. That cannot come in floods: who is out stays so for a
 * second at least, however often it is dialled.
 */
export function createHealthLog(logger: Logger): DialObserver['healthChanged'] {
  return function healthChanged({ route, name: target }, outage) {
    if (outage === undefined) {
      logger.info({ route, target }, 'target back in service');
      return;
    }
    const { by, cause } = outage;
    logger.warn({ route, target, by, cause: describeError(cause) }, 'target out of service');
  };
}
