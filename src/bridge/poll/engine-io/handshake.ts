import { withoutParameters, withParameters } from '../../../http/query.ts';
import { jsonFromService, jsonToClient, wrongAnswer, wrongHandshake } from '../wire.ts';

/** How a session begins, in Engine.IO v4: what the client may ask for, and what the service answers. */

/** Parameters of the protocol itself; `j` asks for scripts in place of answers (JSONP), `b64` was of version 3. */
const OWN = ['EIO', 'transport', 'sid', 'j', 'b64'];

/** Timers hold no more than 2^31 milliseconds; no service waits for an hour. */
const MAX_MS = 3_600_000;

/** What the service has said of the session. */
export interface Session {
  readonly sid: string;
  /** Milliseconds from one ping of the service to the next. */
  readonly pingInterval: number;
  /** Milliseconds it waits for the pong. */
  readonly pingTimeout: number;
  /** Largest body of a post, in bytes. */
  readonly maxPayload: number;
  /** The packet for the client. */
  readonly open: string;
}

/**
 * The query of the session's polls and posts: the client's own parameters with ours. Throws BAD_REQUEST for a client
 * that wants more than a new session over WebSocket.
 */
export function pollingQuery(query: string | undefined): string {
  const asked = new URLSearchParams(query);
  if (asked.get('EIO') !== '4') throw wrongHandshake('Engine.IO is spoken here in version 4 only (EIO=4).');
  if (asked.get('transport') !== 'websocket')
    throw wrongHandshake('Engine.IO is spoken here over WebSocket only (transport=websocket).');
  // An upgrade from polling would be of a session that this one knows nothing of.
  if (asked.has('sid'))
    throw wrongHandshake('Engine.IO sessions begin here as WebSockets: no sid may be named.');
  const kept = withoutParameters(query, (parameter) => OWN.some((name) => parameter.has(name)));
  return withParameters(kept, 'EIO=4&transport=polling') ?? '';
}

/** Reads the first packet of a session. Throws UPSTREAM_INVALID. */
export function readOpen(packet: string): Session {
  const said = packet.startsWith('0') ? jsonFromService(packet.slice(1)) : undefined;
  if (typeof said !== 'object' || said === null || !('sid' in said) || typeof said.sid !== 'string')
    throw wrongAnswer('an Engine.IO session begins without a sid');
  // It goes into URLs.
  if (!said.sid.isWellFormed()) throw wrongAnswer('an Engine.IO session has a sid that is no text');
  const numbers = said as Partial<Record<keyof Session, unknown>>;
  return {
    sid: said.sid,
    pingInterval: Math.min(positive(numbers.pingInterval, 'pingInterval'), MAX_MS),
    pingTimeout: Math.min(positive(numbers.pingTimeout, 'pingTimeout'), MAX_MS),
    // Optional in the protocol's description: 1e6 is the default of its services.
    maxPayload: positive(numbers.maxPayload ?? 1e6, 'maxPayload'),
    // The client is on the best transport there is.
    open: `0${jsonToClient({ ...said, upgrades: [] })}`,
  };
}

function positive(value: unknown, name: string): number {
  if (typeof value === 'number' && value > 0) return value;
  throw wrongAnswer(`an Engine.IO session begins without a good ${name}`);
}
