import { isUtf8 } from 'node:buffer';
import { GatewayError } from '../../../errors.ts';
import { CONTINUATION, TEXT } from '../../../frames/opcodes.ts';
import type { FrameReader } from '../../../frames/reader.ts';
import { frameHeader } from '../../../frames/writer.ts';
import type { Framing, Outlet } from './contract.ts';

const LF = 0x0a;
const CR = 0x0d;
const END = Buffer.of(CR, LF);
const EMPTY = Buffer.alloc(0);

/**
 * A message is one line without its end, both ways (https://ircv3.net/specs/extensions/websocket): CRLF is added on the way up
 * and stripped on the way down. A line break within a message is refused, so that nobody says two commands where one is charged.
 */
export class Lines implements Framing {
  readonly text = true;
  readonly maxMessage: number;
  /** Of messages to the client. */
  readonly #opcode: number;

  // On the way up.
  #isText = false;
  #pieces: Buffer[] = [];
  /** Whole, with their ends. */
  #lines: Buffer[] = [];

  // On the way down.
  /** The beginning of a line. */
  #begun: Buffer = EMPTY;

  /** `max`: bytes of a line; `opcode`: what the client's messages are, TEXT or BINARY. */
  constructor(max: number, opcode: number) {
    this.maxMessage = max;
    this.#opcode = opcode;
  }

  frame({ opcode, length, fin }: FrameReader): void {
    if (opcode !== CONTINUATION) {
      this.#pieces = [];
      this.#isText = opcode === TEXT;
    }
    if (fin && length === 0) this.#end();
  }

  payload(bytes: Buffer, from: number, to: number, { fin, remaining }: FrameReader): void {
    this.#pieces.push(Buffer.from(bytes.subarray(from, to)));
    if (fin && remaining === to - from) this.#end();
  }

  take(): Buffer | undefined {
    if (this.#lines.length === 0) return undefined;
    const lines = Buffer.concat(this.#lines);
    this.#lines = [];
    return lines;
  }

  down(chunk: Buffer, client: Outlet): void {
    const bytes = Buffer.concat([this.#begun, chunk]);
    const lines: Buffer[] = [];
    let from = 0;
    for (let at = bytes.indexOf(LF, this.#begun.length); at !== -1; at = bytes.indexOf(LF, from)) {
      lines.push(withoutReturn(bytes.subarray(from, at)));
      from = at + 1;
    }
    this.#begun = Buffer.from(bytes.subarray(from));
    const long = [...lines, withoutReturn(this.#begun)].findIndex(({ length }) => length > this.maxMessage);
    this.#say(long === -1 ? lines : lines.slice(0, long), client);
    if (long !== -1) throw tooLong(this.maxMessage);
  }

  rest(client: Outlet): void {
    if (this.#begun.length > 0) this.#say([withoutReturn(this.#begun)], client);
  }

  #end(): void {
    const whole = withoutEnd(Buffer.concat(this.#pieces));
    this.#pieces = [];
    if (whole.includes(LF) || whole.includes(CR)) throw broken('a line break within a message');
    if (this.#isText && !isUtf8(whole)) throw new GatewayError('INVALID_PAYLOAD');
    this.#lines.push(whole, END);
  }

  /** In one buffer: they may be many, and short. */
  #say(lines: readonly Buffer[], client: Outlet): void {
    if (lines.length === 0) return;
    const payloads = this.#opcode === TEXT ? lines.map(validText) : lines;
    const frames = payloads.flatMap((line) => [frameHeader(this.#opcode, line.length), line]);
    const bytes = payloads.reduce((total, { length }) => total + length, 0);
    client.frames(Buffer.concat(frames), lines.length, bytes);
  }
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === CR ? line.subarray(0, -1) : line;
}

/** Clients that end their lines themselves are understood. */
function withoutEnd(line: Buffer): Buffer {
  return withoutReturn(line.at(-1) === LF ? line.subarray(0, -1) : line);
}

/** A text message must be UTF-8 (RFC 6455 §8.1), and a server may relay what is not. */
function validText(line: Buffer): Buffer {
  return isUtf8(line) ? line : Buffer.from(line.toString('utf8'));
}

function broken(detail: string): GatewayError {
  const sentence = 'A message is one line here, and holds no line break.';
  return new GatewayError('INVALID_PAYLOAD', { detail: `client: ${detail}`, sentence });
}

function tooLong(max: number): GatewayError {
  const detail = `upstream: a line of more than ${max} bytes`;
  return new GatewayError('UPSTREAM_INVALID', {
    detail,
    sentence: `The upstream sent a line of more than ${max} bytes.`,
  });
}
