import { missing } from './form.ts';

/** The CONNECT packet of MQTT, as far as it says who connects. */

const CONNECT = 0x10;
const USERNAME = 0x80;
const PASSWORD = 0x40;
const WILL = 0x04;
/** The level of MQTT by the name of its protocol; bridges set the highest bit of it. */
const VERSIONS: Readonly<Record<string, readonly number[]>> = { MQIsdp: [3], MQTT: [4, 5] };

/** A field in the bytes: its two bytes of length, and what they count. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface Connect {
  /** 3 is MQTT 3.1, 4 is 3.1.1. */
  readonly version: number;
  /** Where the variable header begins, and where the packet ends. */
  readonly body: Span;
  readonly flagsAt: number;
  readonly username: Span | undefined;
  readonly password: Span | undefined;
}

/** The CONNECT that bytes begin with; undefined if it goes on. Throws TOKEN_MISSING for anything else. */
export function readConnect(bytes: Buffer): Connect | undefined {
  if (bytes.length > 0 && bytes[0] !== CONNECT) throw missing('is no CONNECT of MQTT');
  const size = readVariable(bytes, 1);
  if (size === undefined) return undefined;
  const body = { from: size.end, to: size.end + size.value };
  return bytes.length < body.to ? undefined : readBody(bytes, body);
}

function readBody(bytes: Buffer, body: Span): Connect {
  const name = fieldAt(bytes, body.from, body.to);
  const protocol = bytes.toString('latin1', name.from + 2, name.to);
  const [level = 0, flags = 0] = bytes.subarray(name.to, body.to);
  const version = level & 0x7f;
  if (!VERSIONS[protocol]?.includes(version)) throw missing('is a CONNECT of an MQTT that is not known');
  // Behind the flags stand two bytes of keep-alive.
  const properties = name.to + 4;
  let at = version === 5 ? skipProperties(bytes, properties, body.to) : properties;
  function next(isThere = true): Span | undefined {
    if (!isThere) return undefined;
    const field = fieldAt(bytes, at, body.to);
    at = field.to;
    return field;
  }
  next();
  const hasWill = (flags & WILL) !== 0;
  if (hasWill && version === 5) at = skipProperties(bytes, at, body.to);
  next(hasWill);
  next(hasWill);
  const username = next((flags & USERNAME) !== 0);
  const password = next((flags & PASSWORD) !== 0);
  return { version, body, flagsAt: name.to + 1, username, password };
}

/** A text or bytes with their length ahead (MQTT 5 §1.5.4). */
function fieldAt(bytes: Buffer, from: number, end: number): Span {
  const to = from + 2 <= end ? from + 2 + bytes.readUInt16BE(from) : Infinity;
  if (to > end) throw malformed();
  return { from, to };
}

function skipProperties(bytes: Buffer, from: number, end: number): number {
  const size = readVariable(bytes.subarray(0, end), from);
  if (size === undefined || size.end + size.value > end) throw malformed();
  return size.end + size.value;
}

/** A length of one to four bytes (MQTT 5 §1.5.5), and where it ends; undefined if that has not come. */
function readVariable(bytes: Buffer, from: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let at = 0; at < 4; at++) {
    const byte = bytes[from + at];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 128 ** at;
    if (byte < 0x80) return { value, end: from + at + 1 };
  }
  throw malformed();
}

function malformed() {
  return missing('is a CONNECT of MQTT that is malformed');
}

/**
 * The same bytes without a field and its flag. Before MQTT 5 there is no password without a user's name (MQTT-3.1.2-22): the name is
 * left empty then.
 */
export function withoutField(bytes: Buffer, connect: Connect, name: 'username' | 'password'): Buffer {
  const field = connect[name];
  if (field === undefined) return bytes;
  const { body, flagsAt, version, password } = connect;
  const staysEmpty = name === 'username' && password !== undefined && version < 5;
  const flag = name === 'username' ? USERNAME : PASSWORD;
  const head = Buffer.from(bytes.subarray(body.from, field.from));
  if (!staysEmpty) {
    const place = flagsAt - body.from;
    head[place] = (head[place] as number) & ~flag;
  }
  const kept = Buffer.concat([
    head,
    staysEmpty ? Buffer.alloc(2) : Buffer.alloc(0),
    bytes.subarray(field.to, body.to),
  ]);
  return Buffer.concat([Buffer.from([CONNECT, ...variable(kept.length)]), kept, bytes.subarray(body.to)]);
}

function variable(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 0x80, ...variable(Math.floor(value / 128))];
}
