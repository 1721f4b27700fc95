/** Frame opcodes (RFC 6455 §5.2). */
export const CONTINUATION = 0x0;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

/** Control frames carry at most this much payload, and are never fragmented (RFC 6455 §5.5). */
export const MAX_CONTROL_PAYLOAD = 125;

/** The longest header: 2 bytes, a 64-bit length, a masking key (RFC 6455 §5.2). */
export const MAX_HEADER = 14;
