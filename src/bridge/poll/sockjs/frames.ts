import { type CloseStatus, mayBeSent } from '../../../frames/close.ts';
import { scalarOf } from '../json.ts';
import type { Message } from '../profile.ts';
import {
  jsonFromClient,
  jsonFromService,
  MOST_MESSAGES,
  malformed,
  textIn,
  textOfMessage,
  wrongAnswer,
} from '../wire.ts';

/** Frames of SockJS 0.3 (github.com/sockjs/sockjs-protocol): a letter, and JSON behind it. The client's are arrays of texts. */

export const OPEN = 'o';
export const HEARTBEAT = 'h';

/** The frames of an answer; there is one as a rule. Throws UPSTREAM_INVALID. */
export function framesIn(body: Buffer): string[] {
  return textIn(body)
    .split('\n')
    .filter((frame) => frame !== '');
}

/** The texts of an `a` frame. Throws UPSTREAM_INVALID. */
export function textsIn(frame: string): string[] {
  const texts = jsonFromService(frame.slice(1));
  if (!isTexts(texts)) throw wrongAnswer('a SockJS frame holds what are not texts');
  if (texts.length <= MOST_MESSAGES) return texts;
  throw wrongAnswer(`a SockJS frame holds more than ${MOST_MESSAGES} messages`);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** What a `c` frame says. Throws UPSTREAM_INVALID. */
export function closeIn(frame: string): CloseStatus {
  const said = jsonFromService(frame.slice(1));
  const [given, reason] = Array.isArray(said) ? said : [];
  // The types of sockjs for Node have applications write it as a text.
  const code = Number(scalarOf(given));
  if (mayBeSent(code) && typeof reason === 'string') return { code, reason };
  throw wrongAnswer('a SockJS session ends without a good close code');
}

/**
 * What a frame of the client adds to the array of an xhr_send: its texts, in JSON and without the brackets. Throws
 * UNSUPPORTED_DATA and INVALID_PAYLOAD.
 */
export function textsOfFrame(message: Message): string {
  const frame = textOfMessage(message).trim();
  // An empty frame says nothing, and a lone text is taken too, as services do that speak WebSocket.
  if (frame === '') return '';
  const said = jsonFromClient(frame);
  if (isTexts(said)) return frame.slice(1, -1).trim();
  if (typeof said === 'string') return frame;
  throw malformed('The message is no SockJS frame: a JSON array of texts is expected.');
}

/** The same for a client that sends its texts as they are. */
export function textAsIs(message: Message): string {
  return JSON.stringify(textOfMessage(message));
}
