// What a client of PostgreSQL says and hears (version 3 of its protocol): simple queries, as psql sends them.

import { joined } from './bytes.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** int8, int2, int4, float4, float8, numeric: shown at the right. */
const NUMBERS = [20, 21, 23, 700, 701, 1700];
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** Begins the connection. */
export function startup(user, database) {
  const words = ['user', user, 'database', database, 'application_name', 'the demo of Sallyport'];
  return message('', new Uint8Array([0, 3, 0, 0]), encoder.encode(`${words.join('\0')}\0\0`));
}

export function query(sql) {
  return message('Q', encoder.encode(`${sql}\0`));
}

function message(type, ...parts) {
  const payload = parts.reduce(joined);
  const whole = new Uint8Array(type.length + 4 + payload.length);
  whole.set(encoder.encode(type));
  new DataView(whole.buffer).setUint32(type.length, payload.length + 4);
  whole.set(payload, type.length + 4);
  return whole;
}

/**
 * Returns a function that takes bytes as they come, and calls `show` with each thing to be shown: `{ table: { columns,
 * rows } }`, `{ text }` or `{ fault }`. Throws for what this client does not speak.
 */
export function resultReader(show) {
  let rest = new Uint8Array();
  let table;

  const HEARD = {
    R: (payload) => {
      // All but AuthenticationOk want something of the client.
      if (payload.int32() !== 0) throw new Error('the service wants a password, which this prompt has not');
    },
    T: (payload) => {
      table = { columns: Array.from({ length: payload.int16() }, () => columnOf(payload)), rows: [] };
    },
    D: (payload) => table?.rows.push(Array.from({ length: payload.int16() }, () => cellOf(payload))),
    C: (payload) => {
      if (table) show({ table });
      show({ text: table ? rowsOf(table) : payload.text() });
      table = undefined;
    },
    N: (payload) => show({ text: fieldsOf(payload).M }),
    E: (payload) => {
      const { S, M, C } = fieldsOf(payload);
      show({ fault: `${S}: ${M} (${C})` });
    },
  };

  return (bytes) => {
    rest = joined(rest, bytes);
    while (rest.length >= 5) {
      const length = new DataView(rest.buffer, rest.byteOffset).getUint32(1);
      if (length < 4 || length > MAX_MESSAGE_BYTES) throw new Error('this is not PostgreSQL');
      if (rest.length <= length) return;
      HEARD[String.fromCharCode(rest[0])]?.(new Payload(rest.subarray(5, 1 + length)));
      rest = rest.subarray(1 + length);
    }
  };
}

function rowsOf({ rows }) {
  return `(${rows.length} row${rows.length === 1 ? '' : 's'})`;
}

function columnOf(payload) {
  const name = payload.text();
  // The table and the column in it; then the type, its size, its modifier, its format.
  payload.skip(6);
  const isNumber = NUMBERS.includes(payload.int32());
  payload.skip(8);
  return { name, isNumber };
}

function cellOf(payload) {
  const length = payload.int32();
  return length < 0 ? null : payload.take(length);
}

function fieldsOf(payload) {
  const fields = {};
  for (let name = payload.take(1); name !== '\0'; name = payload.take(1)) fields[name] = payload.text();
  return fields;
}

/** Read from its beginning. */
class Payload {
  #bytes;
  #view;
  #at = 0;

  constructor(bytes) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  skip(count) {
    this.#at += count;
  }

  int16() {
    this.#at += 2;
    return this.#view.getInt16(this.#at - 2);
  }

  int32() {
    this.#at += 4;
    return this.#view.getInt32(this.#at - 4);
  }

  take(count) {
    this.#at += count;
    return decoder.decode(this.#bytes.subarray(this.#at - count, this.#at));
  }

  /** Up to a zero. */
  text() {
    const text = this.take(this.#bytes.indexOf(0, this.#at) - this.#at);
    this.#at += 1;
    return text;
  }
}

/** psql's commands that show what tables there are, as SQL. Undefined for SQL itself. */
export function metaCommand(line) {
  const [, command, name] = /^\\(\S+)\s*(\w*)/.exec(line) ?? [];
  if (command === 'd' && name)
    return `SELECT column_name AS "Column", data_type AS "Type", column_default AS "Default"
      FROM information_schema.columns WHERE table_name = '${name}' ORDER BY ordinal_position`;
  if (command === 'd' || command === 'dt')
    return `SELECT table_name AS "Name", table_type AS "Type"
      FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name`;
  return undefined;
}
