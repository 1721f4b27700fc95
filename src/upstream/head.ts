import { GatewayError } from '../errors.ts';
import type { HeaderField } from '../http/request.ts';

/**
 * The head of a 101, read by hand: Node's client costs more than all the rest of a handshake with an upstream. What this
 * reader takes, Node's own parser takes too, and as the same fields; every other answer is left to that parser. Pure.
 */

/** The head of a 101, taken apart. */
export interface SwitchHead {
  /** Names and values as sent, in order. */
  readonly fields: readonly HeaderField[];
  /** How many bytes were read, interim answers before it and the empty line behind it included. */
  readonly length: number;
}

const MAX_BYTES = 16 * 1024;
/** Every interim answer begins so (RFC 9110 §15.2). */
const INTERIM = 'HTTP/1.1 1';
const STATUS_LINE = /^HTTP\/1\.1 (1\d\d)(?: [\t -~\u0080-\u00ff]*)?$/;
const FIELD_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t -~\u0080-\u00ff]*)$/;

/**
 * Reads the beginning of an upstream's answer: a 101, taken apart, after any other interim answers; `other` for an
 * answer of another kind; undefined while more bytes are needed. Throws UPSTREAM_INVALID for a malformed head, and for
 * one of more than 16 KiB.
 */
export function readSwitch(bytes: Buffer): SwitchHead | 'other' | undefined {
  const text = bytes.toString('latin1', 0, MAX_BYTES);
  for (let start = 0; ; ) {
    if (!text.startsWith(INTERIM, start))
      return INTERIM.startsWith(text.slice(start)) ? unfinished(text) : 'other';
    const end = text.indexOf('\r\n\r\n', start);
    if (end < 0) return unfinished(text);
    const [statusLine = '', ...lines] = text.slice(start, end).split('\r\n');
    const status = STATUS_LINE.exec(statusLine)?.[1];
    if (status === undefined) throw invalid('its status line is malformed');
    start = end + 4;
    if (status === '101') return { fields: lines.map(readField), length: start };
  }
}

function unfinished(text: string): undefined {
  if (text.length === MAX_BYTES) throw invalid('its head is larger than 16 KiB');
  // A line that ends in a bare LF would be waited for until the deadline.
  if (/(?:^|[^\r])\n/.test(text)) throw invalid('a line of its head ends in a bare LF');
  return undefined;
}

function readField(line: string): HeaderField {
  const [, name, value] = FIELD_LINE.exec(line) ?? [];
  if (name === undefined || value === undefined) throw invalid('a line of its head is no field');
  return [name, withoutBlanks(value)];
}

/** Without the blanks around it (RFC 9110 §5.5): space and tab only, where `trim` knows many more. */
function withoutBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start += 1;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end -= 1;
  return value.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function invalid(detail: string): GatewayError {
  return new GatewayError('UPSTREAM_INVALID', { detail });
}
