import { GatewayError } from '../../../errors.ts';
import { MOST_MESSAGES } from '../wire.ts';

/**
 * The body of a request and of an answer of WebSocket-over-HTTP: events, one behind the other. Each is its type, with
 * content behind it whose length is given in hexadecimal, or the type alone. Pure.
 *
 *     TEXT 5␍␊hello␍␊CLOSE␍␊
 */

/** One event; `content` is undefined where its length is not given. */
export interface SocketEvent {
  readonly type: string;
  readonly content?: Buffer | undefined;
}

const LINE_END = '\r\n';
const LINE = /^([A-Z][A-Z-]*)(?: ([0-9a-fA-F]{1,8}))?$/;
const LONGEST_LINE = 64;

/** Writes events, with lengths in lower case. */
export function encodeEvents(events: readonly SocketEvent[]): Buffer {
  return Buffer.concat(events.flatMap(partsOf));
}

function partsOf({ type, content }: SocketEvent): Buffer[] {
  if (content === undefined) return [Buffer.from(type + LINE_END, 'latin1')];
  const line = `${type} ${content.length.toString(16)}${LINE_END}`;
  return [Buffer.from(line, 'latin1'), content, Buffer.from(LINE_END, 'latin1')];
}

/** Reads events; content is a part of `body`. Throws UPSTREAM_INVALID for what is none, or not whole, or too many. */
export function decodeEvents(body: Buffer): SocketEvent[] {
  const events: SocketEvent[] = [];
  let at = 0;
  while (at < body.length) {
    if (events.length === MOST_MESSAGES) throw invalid(`it holds more than ${MOST_MESSAGES} events`);
    const start = lineEndBehind(body, at);
    const [, type, length] = LINE.exec(body.toString('latin1', at, start - LINE_END.length)) ?? [];
    if (type === undefined) throw invalid('an event does not begin with a type and a length');
    if (length === undefined) {
      events.push({ type });
      at = start;
      continue;
    }
    const end = start + Number.parseInt(length, 16);
    at = end + LINE_END.length;
    if (body.toString('latin1', end, at) !== LINE_END)
      throw invalid('an event has another length than it says');
    events.push({ type, content: body.subarray(start, end) });
  }
  return events;
}

/** Where the line that begins at `at` is over. */
function lineEndBehind(body: Buffer, at: number): number {
  const end = body.subarray(at, at + LONGEST_LINE).indexOf(LINE_END, 0, 'latin1');
  if (end < 0) throw invalid('an event does not begin with a line');
  return at + end + LINE_END.length;
}

/** What is wrong with an answer. */
export function invalid(detail: string): GatewayError {
  return new GatewayError('UPSTREAM_INVALID', { detail: `websocket-over-http: ${detail}` });
}
