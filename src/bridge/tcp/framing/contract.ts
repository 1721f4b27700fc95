import type { GatewayError } from '../../../errors.ts';
import type { FrameReader } from '../../../frames/reader.ts';
import { frameHeader } from '../../../frames/writer.ts';

/** What messages are to the byte stream of one TCP service; made anew for each connection, and without I/O. */
export interface Framing {
  /** Text messages are taken too. */
  readonly text: boolean;
  /** Most bytes of a client's message. Absent: what the session allows. */
  readonly maxMessage?: number;
  /** A data frame of the client begins: there is no payload to an empty one. What it throws ends the session. */
  frame(reader: FrameReader): void;
  /** `bytes[from, to)` is a piece of its payload, unmasked where it lies. What it throws ends the session. */
  payload(bytes: Buffer, from: number, to: number, reader: FrameReader): void;
  /** What is for the service by now; undefined: nothing. */
  take(): Buffer | undefined;
  /** The service has sent `chunk`, which is the caller's again once the writes are out. */
  down(chunk: Buffer): Outgoing;
  /** The service will send no more: what is left. */
  rest(): Outgoing;
}

/** Messages on their way to the client. */
export interface Outgoing {
  readonly writes: readonly Buffer[];
  readonly messages: number;
  /** Of payload. */
  readonly bytes: number;
  /** What the service has done wrong behind them. */
  readonly fault?: GatewayError | undefined;
}

export const NOTHING: Outgoing = { writes: [], messages: 0, bytes: 0 };

/** One message, whose payload is not copied. */
export function message(opcode: number, payload: Buffer): Outgoing {
  return { writes: [frameHeader(opcode, payload.length), payload], messages: 1, bytes: payload.length };
}
