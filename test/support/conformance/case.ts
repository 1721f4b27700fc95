import { CLOSE, clientFrame, closePayload } from '../rawclient.ts';

/** What a client may say and what it must hear, where the other end echoes whole messages. */

export type Heard = readonly [opcode: number, payload: Buffer | string];

export interface Case {
  readonly name: string;
  /** The frames to send; `message` compresses where permessage-deflate was negotiated. */
  readonly say: (message: Message) => Buffer[];
  /** The frames that come back until the server ends the connection. */
  readonly hears: readonly Heard[];
}

export type Message = (opcode: number, payload: Buffer | string, cuts?: readonly number[]) => Buffer[];

export const BYE = clientFrame(CLOSE, closePayload(1000, 'bye'));
export const HEARS_BYE: Heard = [CLOSE, closePayload(1000, 'bye')];
export const VIOLATION: Heard = [CLOSE, closePayload(1002, 'The peer broke the WebSocket protocol.')];
export const NOT_UTF8: Heard = [CLOSE, closePayload(1007)];

/** A conversation that ends with our Close, and its answer. */
export function legal(name: string, say: Case['say'], hears: readonly Heard[]): Case {
  return { name, say: (message) => [...say(message), BYE], hears: [...hears, HEARS_BYE] };
}

/** What the gateway must answer with 1002, whatever follows. */
export function violation(name: string, ...frames: Buffer[]): Case {
  return { name, say: () => [...frames, BYE], hears: [VIOLATION] };
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** ASCII that repeats only every 997 bytes, so that a piece out of place shows. */
export function filler(length: number): Buffer {
  return Buffer.alloc(
    length,
    Array.from({ length: 997 }, (_, i) => String.fromCharCode(33 + ((i * 31) % 89))).join(''),
  );
}
