import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import { mayBeSent, NORMAL } from '../../../frames/close.ts';
import { parseParameters } from '../../../http/fields.ts';
import type { HttpAnswer } from '../../../upstream/client.ts';
import type { Message, ServiceEnd } from '../profile.ts';
import { decodeEvents, invalid, type SocketEvent } from './events.ts';

/** What an answer says besides its messages, read from its fields; and what its events are to the client. */

export const EVENTS_TYPE = 'application/websocket-events';

/** Events as they concern a session; the first of them is no OPEN any more. */
export interface Heard {
  readonly messages: readonly Message[];
  /** The service's Close, behind which nothing counts. */
  readonly end: ServiceEnd | undefined;
}

/** Reads the events of an answer. Throws UPSTREAM_INVALID, also for an answer of another type. */
export function eventsOf({ status, headers, body }: HttpAnswer): SocketEvent[] {
  const type = headers['content-type'] ?? 'nothing';
  if (status !== 200 || type.split(';', 1)[0]?.trim().toLowerCase() !== EVENTS_TYPE)
    throw invalid(`it answered ${status} with ${type.slice(0, 64)}, not 200 with ${EVENTS_TYPE}`);
  return decodeEvents(body);
}

/** What the events behind an OPEN mean. Throws UPSTREAM_INVALID for another OPEN, and for an end without a Close. */
export function hear(events: readonly SocketEvent[]): Heard {
  const messages: Message[] = [];
  for (const { type, content = Buffer.alloc(0) } of events) {
    if (type === 'OPEN') throw invalid('it opened what is open');
    if (type === 'DISCONNECT') throw invalid('it ended the session without a CLOSE');
    if (type === 'CLOSE') return { messages, end: endOf(content) };
    // Pings are the gateway's own, and their answers too; of what is new nothing is known.
    if (type === 'TEXT') messages.push({ data: textOf(content), binary: false });
    if (type === 'BINARY') messages.push({ data: content, binary: true });
  }
  return { messages, end: undefined };
}

function textOf(content: Buffer): Buffer {
  if (!isUtf8(content)) throw invalid('a TEXT is not UTF-8');
  return content;
}

/** Without a code it is a normal one, as with Pushpin; some libraries write 0 for that. */
function endOf(content: Buffer): ServiceEnd {
  if (content.length < 2) return { code: NORMAL, reason: '' };
  const code = content.readUInt16BE(0);
  return { code: mayBeSent(code) ? code : NORMAL, reason: content.toString('utf8', 2) };
}

/** Milliseconds after which the service wants to be asked again: 0: never, undefined: as before. */
export function keepAliveOf({ 'keep-alive-interval': field }: IncomingHttpHeaders): number | undefined {
  if (typeof field !== 'string') return undefined;
  return /^\d{1,6}$/.test(field) ? Number(field) * 1000 : 0;
}

/** How many bytes of content the service has taken; undefined: all. Throws UPSTREAM_INVALID for more than the `offered`. */
export function acceptedOf(
  { 'content-bytes-accepted': field }: IncomingHttpHeaders,
  offered: number,
): number | undefined {
  if (typeof field !== 'string' || !/^\d+$/.test(field)) return undefined;
  if (Number(field) > offered) throw invalid(`it accepted ${field.slice(0, 16)} bytes of ${offered}`);
  return Number(field);
}

/** What stands before every message of a session that has taken GRIP up; undefined if it has not. */
export function gripPrefixOf({ 'sec-websocket-extensions': field }: IncomingHttpHeaders): string | undefined {
  const extensions = typeof field === 'string' ? parseParameters(field) : [];
  const [name, ...parameters] = extensions?.find(([first]) => first?.[0].toLowerCase() === 'grip') ?? [];
  if (name === undefined) return undefined;
  return parameters.find(([parameter]) => parameter === 'message-prefix')?.[1] ?? 'm:';
}
