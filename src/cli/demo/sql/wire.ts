import type { Column, Rows, SqlFault } from './result.ts';

/** What is used here of PostgreSQL's protocol, version 3 (postgresql.org, "Frontend/Backend Protocol"). */

const MAX_MESSAGE_BYTES = 16 * 1024;

/** The numbers that a connection may begin with in place of a version. */
export const START = { V3: 0x3_0000, CANCEL: 80_877_102, SSL: 80_877_103, GSS: 80_877_104 } as const;

/** Of a client; the first ones have no type. */
export interface FrontendMessage {
  readonly type: string;
  readonly payload: Buffer;
}

/** A client does not speak the protocol; the text is for it. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** Finds the messages in what comes, a piece at a time. */
export class MessageReader {
  #rest: Buffer = Buffer.alloc(0);
  /** Messages have a type from here on. */
  isStarted = false;

  /** Each message that is complete. Throws WireError. */
  *read(chunk: Buffer): Generator<FrontendMessage> {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const head = this.isStarted ? 1 : 0;
      if (this.#rest.length < head + 4) return;
      const length = this.#rest.readUInt32BE(head);
      if (length < 4 || length > MAX_MESSAGE_BYTES)
        throw new WireError(`a message has 4 to ${MAX_MESSAGE_BYTES} bytes here, not ${length}`);
      if (this.#rest.length < head + length) return;
      const type = this.#rest.toString('latin1', 0, head);
      const payload = this.#rest.subarray(head + 4, head + length);
      this.#rest = this.#rest.subarray(head + length);
      yield { type, payload };
    }
  }
}

/** That the client is let in, and what it should know. `version` is the server's. */
export function welcome(version: string): Buffer {
  const parameters = {
    server_version: version,
    server_encoding: 'UTF8',
    client_encoding: 'UTF8',
    DateStyle: 'ISO, MDY',
    standard_conforming_strings: 'on',
  };
  const told = Object.entries(parameters).map((words) => message('S', ...words.map(text)));
  // AuthenticationOk: the gateway has seen to that.
  return Buffer.concat([message('R', int32(0)), ...told, READY]);
}

/** A table, and the statement's tag. */
export function result({ columns, rows, isCut }: Rows, tag: string): Buffer {
  const done = message('C', text(tag));
  if (columns.length === 0) return done;
  const cut = isCut ? [notice(`only the first ${rows.length} rows`)] : [];
  return Buffer.concat([description(columns), ...rows.map(dataRow), done, ...cut]);
}

/** The statement, or the connection (FATAL), went wrong. */
export function fault({ code, message: said }: SqlFault, severity: 'ERROR' | 'FATAL' = 'ERROR'): Buffer {
  return message('E', ...fields({ S: severity, V: severity, C: code, M: said }));
}

function notice(said: string): Buffer {
  return message('N', ...fields({ S: 'NOTICE', V: 'NOTICE', C: '00000', M: said }));
}

/** Object ids and sizes of int8, float8 and text. */
const TYPES: Readonly<Record<Column['type'], readonly [oid: number, size: number]>> = {
  integer: [20, 8],
  real: [701, 8],
  text: [25, -1],
};

function description(columns: readonly Column[]): Buffer {
  const parts = columns.flatMap(({ name, type }) => {
    const [oid, size] = TYPES[type];
    // Of no table; no modifier; as text.
    return [text(name), int32(0), int16(0), int32(oid), int16(size), int32(-1), int16(0)];
  });
  return message('T', int16(columns.length), ...parts);
}

function dataRow(values: readonly (string | null)[]): Buffer {
  const parts = values.flatMap((value) => {
    if (value === null) return [int32(-1)];
    const bytes = Buffer.from(value);
    return [int32(bytes.length), bytes];
  });
  return message('D', int16(values.length), ...parts);
}

function fields(values: Readonly<Record<string, string>>): Buffer[] {
  return [...Object.entries(values).map(([field, value]) => text(field + value)), Buffer.of(0)];
}

function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 4);
  return Buffer.concat([Buffer.from(type), int32(length), ...parts]);
}

function text(value: string): Buffer {
  return Buffer.from(`${value.replaceAll('\0', '')}\0`);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** The next query may come. */
export const READY = message('Z', Buffer.from('I'));
/** There was no statement in the query. */
export const EMPTY = message('I');
