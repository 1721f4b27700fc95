import { LAYOUTS, NAMES } from './layouts.ts';
import type { TcpMessage } from './types.ts';

/** Puts a message into bytes. It must be legal: lengths are the caller's to keep, but for a reason, whose texts are cut. */
export function encodeMessage({ type, ...values }: TcpMessage): Uint8Array<ArrayBuffer> {
  const given = values as Readonly<Record<string, never>>;
  const fields = Object.entries(LAYOUTS[type]).map(([name, { write }]) => write(given[name] as never));
  const whole = new Uint8Array(fields.reduce((sum, { length }) => sum + length, 1));
  whole[0] = NAMES.indexOf(type);
  let at = 1;
  for (const field of fields) {
    whole.set(field, at);
    at += field.length;
  }
  return whole;
}
