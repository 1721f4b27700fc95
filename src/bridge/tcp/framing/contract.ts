import type { FrameReader } from '../../../frames/reader.ts';

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
  /**
   * The service has sent `chunk`, which is the caller's again once what was said to the client is out. What it throws ends the
   * session behind that.
   */
  down(chunk: Buffer, client: Outlet): void;
  /** The service will send no more: says what is left. */
  rest(client: Outlet): void;
}

/** Where messages to the client go. */
export interface Outlet {
  /** One message, whose payload is not copied. */
  message(opcode: number, payload: Buffer): void;
  /** Whole frames of so many messages, with so many bytes of payload. */
  frames(frames: Buffer, messages: number, bytes: number): void;
}
