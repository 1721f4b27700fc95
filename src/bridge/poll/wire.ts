import { GatewayError } from '../../errors.ts';
import { parseJson } from './json.ts';
import type { Message } from './profile.ts';

/** What profiles with a wire format of their own share: how bytes are read, and how many messages go in one request. */

/** In one answer: each costs more memory, and time in which nobody else is served, than it has bytes. */
export const MOST_MESSAGES = 65_536;

/** A body as text. Throws UPSTREAM_INVALID if it is not UTF-8. */
export function textIn(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch (cause) {
    throw new GatewayError('UPSTREAM_INVALID', { detail: 'an answer is not UTF-8', cause });
  }
}

/** What a service has written. Throws UPSTREAM_INVALID if it is not JSON. */
export function jsonFromService(text: string): unknown {
  return read(text, () => wrongAnswer('an answer holds what is not JSON'));
}

/** What a client has written. Throws INVALID_PAYLOAD if it is not JSON. */
export function jsonFromClient(text: string): unknown {
  return read(text, () => malformed('The message is not JSON.'));
}

/** What a service has written, as JSON again. Throws UPSTREAM_INVALID for what is nested too deeply for that. */
export function jsonToClient(value: unknown): string {
  return written(value, () => wrongAnswer('an answer is JSON nested too deeply'));
}

/** What a client has written, as JSON again. Throws INVALID_PAYLOAD for what is nested too deeply for that. */
export function jsonToService(value: unknown): string {
  return written(value, () => malformed('The message is JSON nested too deeply.'));
}

/** The writer needs stack for each level, the reader does not. */
function written(value: unknown, failure: () => GatewayError): string {
  try {
    return JSON.stringify(value);
  } catch {
    throw failure();
  }
}

function read(text: string, failure: () => GatewayError): unknown {
  try {
    return parseJson(text);
  } catch {
    throw failure();
  }
}

/** The bytes of a message. */
export function bytesIn({ data }: Message): Buffer {
  return typeof data === 'string' ? Buffer.from(data) : data;
}

/** The text of a client's message. Throws UNSUPPORTED_DATA for a binary one. */
export function textOfMessage({ data, binary }: Message): string {
  if (binary)
    throw new GatewayError('UNSUPPORTED_DATA', {
      detail: 'a binary message, where the protocol has texts only',
    });
  return String(data);
}

/** A message of the client that cannot be what its protocol says; the sentence is for the client (RFC 6455 §7.4.1: 1007). */
export function malformed(sentence: string): GatewayError {
  return new GatewayError('INVALID_PAYLOAD', { sentence });
}

/** A handshake that does not begin what the profile can go on with; the sentence is for the client. */
export function wrongHandshake(sentence: string): GatewayError {
  return new GatewayError('BAD_REQUEST', { sentence });
}

/** An answer that cannot be what its protocol says. */
export function wrongAnswer(detail: string): GatewayError {
  return new GatewayError('UPSTREAM_INVALID', { detail });
}

/** A text message for the client. */
export function text(data: string): Message {
  return { data, binary: false };
}

/**
 * How many of the waiting messages go in one request of about `limit` bytes: at least one. `sizeOf` gives what one adds;
 * Infinity where it has to go alone.
 */
export function fitting(
  waiting: readonly Message[],
  limit: number,
  sizeOf: (message: Message) => number,
): number {
  let size = 0;
  const beyond = waiting.findIndex((message) => {
    size += sizeOf(message);
    return size > limit;
  });
  return beyond < 0 ? waiting.length : Math.max(beyond, 1);
}
