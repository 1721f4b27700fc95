/**
 * RESP 2, the protocol of Redis (redis.io, "Redis serialization protocol specification"). Texts are strings of octets
 * (latin1): keys and values may be anything.
 */

/** Words of one command, the command itself among them. */
const MAX_WORDS = 64;
const MAX_WORD_BYTES = 16 * 1024;
/** Of a command that has not come to its end. */
const MAX_COMMAND_BYTES = 64 * 1024;
const MAX_LINE_BYTES = 4 * 1024;

/** A client does not speak RESP; the text is for it. */
export class RespError extends Error {
  override readonly name = 'RespError';
}

/** `+OK`, and the like. */
export class Status {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A command that went wrong: the text begins with a word that programs look at, such as `ERR`. */
export class Fault {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Integers are numbers or bigints, bulk strings are strings, nil is null. */
export type Reply = Status | Fault | string | number | bigint | null | readonly Reply[];

export function encodeReply(reply: Reply): string {
  if (reply === null) return '$-1\r\n';
  if (typeof reply === 'number' || typeof reply === 'bigint') return `:${reply}\r\n`;
  if (typeof reply === 'string') return `$${reply.length}\r\n${reply}\r\n`;
  if (reply instanceof Status) return `+${reply.text}\r\n`;
  if (reply instanceof Fault) return `-${reply.text}\r\n`;
  return `*${reply.length}\r\n${reply.map(encodeReply).join('')}`;
}

/** Finds the commands in what comes, a piece at a time. */
export class CommandReader {
  #rest = '';

  /** The words of each command that is complete. Throws RespError. */
  *read(chunk: Buffer): Generator<readonly string[]> {
    this.#rest += chunk.toString('latin1');
    let at = 0;
    for (let found = commandAt(this.#rest, at); found; found = commandAt(this.#rest, at)) {
      at = found.end;
      if (found.words.length > 0) yield found.words;
    }
    this.#rest = this.#rest.slice(at);
    if (this.#rest.length > MAX_COMMAND_BYTES) throw new RespError('too big a command');
  }
}

interface Found<T> {
  readonly words: T;
  /** Where what follows it begins. */
  readonly end: number;
}

/** Undefined while more of it has to come. */
function commandAt(text: string, from: number): Found<string[]> | undefined {
  const line = lineAt(text, from);
  if (!line) return undefined;
  // What people type, in telnet or nc: words on a line.
  if (!line.words.startsWith('*')) return { words: line.words.split(' ').filter(Boolean), end: line.end };
  const words: string[] = [];
  let at = line.end;
  for (let left = sizeIn(line.words, MAX_WORDS); left > 0; left--) {
    const word = bulkAt(text, at);
    if (!word) return undefined;
    words.push(word.words);
    at = word.end;
  }
  return { words, end: at };
}

function bulkAt(text: string, from: number): Found<string> | undefined {
  const head = lineAt(text, from);
  if (!head) return undefined;
  if (!head.words.startsWith('$')) throw new RespError(`expected '$', got '${head.words.slice(0, 1)}'`);
  const end = head.end + sizeIn(head.words, MAX_WORD_BYTES);
  return text.length < end + 2 ? undefined : { words: text.slice(head.end, end), end: end + 2 };
}

function lineAt(text: string, from: number): Found<string> | undefined {
  const end = text.indexOf('\n', from);
  if ((end < 0 ? text.length : end) - from > MAX_LINE_BYTES) throw new RespError('too big a line');
  return end < 0 ? undefined : { words: text.slice(from, end).replace(/\r$/, ''), end: end + 1 };
}

/** Of `*3`, or `$12`. */
function sizeIn(line: string, most: number): number {
  const size = Number(line.slice(1));
  if (!/^.\d+$/.test(line) || size > most) throw new RespError(`invalid length: at most ${most}`);
  return size;
}
