// What a client of Redis says and hears (RESP 2), shown as redis-cli shows it.

import { joined } from './bytes.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Words, of which those with spaces stand in quotes: `SET greeting "hello there"`. */
export function wordsOf(line) {
  const words = line.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g);
  return Array.from(words, ([, quoted, plain, bare]) => quoted?.replace(/\\(.)/g, '$1') ?? plain ?? bare);
}

/** An array of bulk strings. */
export function encodeCommand(words) {
  const parts = words.map((word) => `$${encoder.encode(word).length}\r\n${word}\r\n`);
  return encoder.encode(`*${words.length}\r\n${parts.join('')}`);
}

/** Returns a function that takes bytes as they come, and calls `onReply` with the text of each reply. */
export function replyReader(onReply) {
  let rest = new Uint8Array();
  return (bytes) => {
    rest = joined(rest, bytes);
    for (let found = replyAt(rest, 0); found; found = replyAt(rest, 0)) {
      rest = rest.subarray(found.end);
      onReply(textOf(found.reply));
    }
  };
}

/** Undefined while more of it has to come. */
function replyAt(bytes, from) {
  const lineEnd = bytes.indexOf(13, from);
  if (lineEnd < 0 || lineEnd + 1 >= bytes.length) return undefined;
  const kind = String.fromCharCode(bytes[from]);
  const line = decoder.decode(bytes.subarray(from + 1, lineEnd));
  const end = lineEnd + 2;
  if (kind === '$') return bulkAt(bytes, end, Number(line));
  if (kind === '*') return arrayAt(bytes, end, Number(line));
  return { reply: { kind, line }, end };
}

function bulkAt(bytes, from, size) {
  if (size < 0) return { reply: { kind: 'nil' }, end: from };
  const end = from + size;
  if (end + 2 > bytes.length) return undefined;
  return { reply: { kind: '$', line: decoder.decode(bytes.subarray(from, end)) }, end: end + 2 };
}

function arrayAt(bytes, from, count) {
  const items = [];
  let end = from;
  for (let at = 0; at < count; at += 1) {
    const item = replyAt(bytes, end);
    if (!item) return undefined;
    items.push(item.reply);
    end = item.end;
  }
  return { reply: { kind: '*', items }, end };
}

function textOf({ kind, line, items }) {
  if (kind === 'nil') return '(nil)';
  if (kind === '-') return `(error) ${line}`;
  if (kind === ':') return `(integer) ${line}`;
  if (kind === '$') return JSON.stringify(line);
  if (kind !== '*') return line;
  return items.map((item, at) => `${at + 1}) ${textOf(item)}`).join('\n') || '(empty array)';
}
