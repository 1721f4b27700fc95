import { closePayload } from '../../../frames/close.ts';
import { wordFor } from '../../closing.ts';
import type { Ending } from '../../contract.ts';
import type { SocketEvent } from './events.ts';

export interface GoodbyeConfig {
  readonly closeReason: boolean;
  readonly disconnectEvent: boolean;
}

/**
 * The event that tells of the end: CLOSE with what a WebSocket service would be told, DISCONNECT where nobody said
 * anything: the client was lost, or the service has failed. `ending` is undefined where the client left before the 101.
 */
export function goodbyeOf(
  ending: Ending | undefined,
  { closeReason, disconnectEvent }: GoodbyeConfig,
): SocketEvent {
  const isSaid = ending !== undefined && (ending.clean || ending.by === 'gateway');
  if (!isSaid) return { type: disconnectEvent ? 'DISCONNECT' : 'CLOSE' };
  const { code, reason } = wordFor('upstream', ending);
  const content = closePayload(code, closeReason ? reason : '');
  return { type: 'CLOSE', content: content.length > 0 ? content : undefined };
}
