import type { Message } from '../profile.ts';
import { jsonFromClient, jsonFromService, malformed, textIn, textOfMessage, wrongAnswer } from '../wire.ts';

/** Messages of Bayeux (docs.cometd.org): JSON objects in an array, over WebSocket and over HTTP alike. */

export interface Bayeux {
  readonly [field: string]: unknown;
}

export const CONNECT = '/meta/connect';
export const HANDSHAKE = '/meta/handshake';
export const DISCONNECT = '/meta/disconnect';

/** What a client has sent in one WebSocket message. Throws UNSUPPORTED_DATA and INVALID_PAYLOAD. */
export function fromClient(message: Message): readonly Bayeux[] {
  const said = [jsonFromClient(textOfMessage(message))].flat();
  if (isBayeux(said)) return said;
  throw malformed('The message is not Bayeux: a JSON array of objects is expected.');
}

/** What a service has answered. Throws UPSTREAM_INVALID. */
export function fromService(body: Buffer): readonly Bayeux[] {
  const said = [jsonFromService(textIn(body))].flat();
  if (isBayeux(said)) return said;
  throw wrongAnswer('an answer is not a JSON array of Bayeux messages');
}

function isBayeux(list: readonly unknown[]): list is readonly Bayeux[] {
  return list.every((item) => typeof item === 'object' && item !== null && !Array.isArray(item));
}

/** What the client says of its transport, as true of ours. */
export function upward(message: Bayeux): Bayeux {
  if (message.channel === CONNECT) return { ...message, connectionType: 'long-polling' };
  if (message.channel === HANDSHAKE) return { ...message, supportedConnectionTypes: ['long-polling'] };
  return message;
}

/** What the service says of transports, as true for the client. */
export function downward(message: Bayeux): Bayeux {
  const { channel, supportedConnectionTypes: types } = message;
  if (channel !== HANDSHAKE || !Array.isArray(types) || types.includes('websocket')) return message;
  return { ...message, supportedConnectionTypes: ['websocket', ...types] };
}
