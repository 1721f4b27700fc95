import type { HeaderField } from '../http/request.ts';
import { redactText } from './redact.ts';

/** Browsers need some 130; whatever is longer tells nothing more. */
const MAX_LENGTH = 200;

const NAME = 'user-agent';

/** What a client calls itself, fit for a log line: at most 200 characters, nothing in it that drives a terminal. */
export function userAgentOf(headers: readonly HeaderField[]): string | undefined {
  for (const [name, value] of headers) {
    if (name.length === NAME.length && name.toLowerCase() === NAME) return clip(value);
  }
  return undefined;
}

function clip(value: string): string {
  const text = redactText(value, MAX_LENGTH);
  // A part of a text keeps the whole of it in memory, and a session keeps the part.
  return value.length > MAX_LENGTH ? Buffer.from(text).toString() : text;
}
