import { GatewayError } from '../../errors.ts';
import type { HttpAnswer } from '../../upstream/client.ts';

/** The subprotocol for the 101, which must be one the client offered (RFC 6455 §4.2.2). Throws UPSTREAM_INVALID. */
export function chosenProtocol({ headers }: HttpAnswer, offered: readonly string[]): string | undefined {
  const chosen = headers['sec-websocket-protocol'];
  if (chosen === undefined || offered.includes(chosen)) return chosen;
  throw new GatewayError('UPSTREAM_INVALID', { detail: 'a subprotocol was chosen that was not offered' });
}
