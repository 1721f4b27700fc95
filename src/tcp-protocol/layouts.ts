import { bytes, type Field, rest, short, text, uint } from './fields.ts';
import {
  MAX_DATA_BYTES,
  MAX_TEXT_BYTES,
  MAX_TOKEN_BYTES,
  RESUME_ID_BYTES,
  type TcpMessage,
} from './types.ts';

type Message<T> = Extract<TcpMessage, { type: T }>;
type Layout<T> = { readonly [K in Exclude<keyof Message<T>, 'type'>]: Field<Message<T>[K]> };

const u32 = uint(4);
const u64 = uint(8);
const resumeId = bytes(() => RESUME_ID_BYTES);
const reason = {
  code: uint(2),
  error: text(short, 255),
  text: text(rest(0, MAX_TEXT_BYTES), MAX_TEXT_BYTES),
};

/** What is in the payload of each message, in its order, and the messages in the order of their numbers: the table of config/TCP-PROTOCOL.md. */
export const LAYOUTS: { readonly [T in TcpMessage['type']]: Layout<T> } = {
  DATA: { data: rest(1, MAX_DATA_BYTES) },
  FIN: {},
  RESET: reason,
  WINDOW: { credit: uint(4, 1) },
  OPENED: {
    resumeId,
    resumeMs: u32,
    expiresAt: u64,
    session: text(short, 255),
    peer: text(rest(0, MAX_DATA_BYTES)),
  },
  FAILED: reason,
  AUTH: { accessToken: text(rest(1, MAX_TOKEN_BYTES)) },
  AUTH_OK: { expiresAt: u64 },
  ACK: { offset: u64 },
  RESUME: { resumeId, offset: u64, credit: u32 },
  RESUMED: { offset: u64, credit: u32, expiresAt: u64 },
};

/** By number, the names of the messages. */
export const NAMES = Object.keys(LAYOUTS) as readonly TcpMessage['type'][];
