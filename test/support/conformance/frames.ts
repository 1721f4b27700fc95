import { BINARY, CLOSE, CONTINUATION, clientFrame, closePayload, PING, PONG, TEXT } from '../rawclient.ts';
import { BYE, type Case, filler, HEARS_BYE, type Heard, legal, range, violation } from './case.ts';

/** RFC 6455 §5: frames, control frames, fragments. */

const LENGTHS = [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537];

/** §5.2: lengths in their three forms. */
export const framing: Case[] = [
  ...LENGTHS.flatMap((length) =>
    [TEXT, BINARY].map((opcode) =>
      legal(
        `${opcode === TEXT ? 'text' : 'binary'} of ${length} bytes`,
        (message) => message(opcode, filler(length)),
        [[opcode, filler(length)]],
      ),
    ),
  ),
  legal('binary of every octet', (message) => message(BINARY, Buffer.from(range(0, 255))), [
    [BINARY, Buffer.from(range(0, 255))],
  ]),
  violation('a length under 126 in 16 bits', clientFrame(TEXT, filler(125), { lengthBytes: 2 })),
  violation('an empty message with a 64-bit length', clientFrame(BINARY, '', { lengthBytes: 8 })),
  violation('a length under 65536 in 64 bits', clientFrame(BINARY, filler(65_535), { lengthBytes: 8 })),
  violation(
    'a 64-bit length with its top bit set',
    Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4]),
  ),
];

/** §5.1: a client masks. */
export const masking: Case[] = [TEXT, BINARY, PING, PONG, CLOSE].map((opcode) =>
  violation(
    `an unmasked frame of opcode ${opcode}`,
    clientFrame(opcode, opcode === CLOSE ? closePayload(1000) : 'x', { masked: false }),
  ),
);

/** §5.2: what has no meaning yet. */
export const reserved: Case[] = [
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) => [
    violation(`reserved opcode ${opcode}, empty`, clientFrame(opcode, '')),
    violation(`reserved opcode ${opcode} with payload`, clientFrame(opcode, 'payload')),
    violation(
      `reserved opcode ${opcode} inside a message`,
      clientFrame(TEXT, 'a', { fin: false }),
      clientFrame(opcode, 'b'),
    ),
  ]),
  ...[0x10, 0x20, 0x30, 0x50, 0x60, 0x70].flatMap((rsv) =>
    [TEXT, BINARY, PING, PONG, CLOSE].map((opcode) =>
      violation(`RSV bits ${rsv >> 4} on opcode ${opcode}`, clientFrame(opcode, closePayload(1000), { rsv })),
    ),
  ),
  ...[PING, PONG, CLOSE].map((opcode) =>
    violation(`RSV1 on opcode ${opcode}`, clientFrame(opcode, closePayload(1000), { rsv: 0x40 })),
  ),
  violation(
    'RSV1 on a continuation',
    clientFrame(TEXT, 'a', { fin: false }),
    clientFrame(CONTINUATION, 'b', { rsv: 0x40 }),
  ),
];

/** §5.5.2, §5.5.3 */
export const pings: Case[] = [
  legal(
    'pings of 0 to 125 bytes',
    () => range(0, 125).map((size) => clientFrame(PING, filler(size))),
    range(0, 125).map((size): Heard => [PONG, filler(size)]),
  ),
  legal('a ping of any octets', () => [clientFrame(PING, Buffer.from([0, 0xff, 0xfe, 0xc0, 0x80]))], [
    [PONG, Buffer.from([0, 0xff, 0xfe, 0xc0, 0x80])],
  ]),
  legal(
    'a pong nobody asked for',
    () => [clientFrame(PONG, 'unasked'), clientFrame(PONG, ''), clientFrame(PING, 'asked')],
    [[PONG, 'asked']],
  ),
  legal(
    'pings around a message',
    (message) => [clientFrame(PING, 'a'), ...message(TEXT, 'hello'), clientFrame(PING, 'b')],
    [
      [PONG, 'a'],
      [TEXT, 'hello'],
      [PONG, 'b'],
    ],
  ),
  ...[PING, PONG, CLOSE].flatMap((opcode) => [
    violation(
      `opcode ${opcode} of 126 bytes`,
      clientFrame(opcode, Buffer.concat([closePayload(1000), filler(124)])),
    ),
    violation(
      `opcode ${opcode} with a 16-bit length`,
      clientFrame(opcode, closePayload(1000), { lengthBytes: 2 }),
    ),
    violation(
      `opcode ${opcode} with a 64-bit length`,
      clientFrame(opcode, closePayload(1000), { lengthBytes: 8 }),
    ),
    violation(
      `opcode ${opcode} in fragments`,
      clientFrame(opcode, closePayload(1000), { fin: false }),
      clientFrame(CONTINUATION, ''),
    ),
  ]),
];

/** A message's frames with a ping behind each but the last. */
function pinged(frames: readonly Buffer[]): Buffer[] {
  return frames.flatMap((frame, index) =>
    index === frames.length - 1 ? [frame] : [frame, clientFrame(PING, `${index}`)],
  );
}

/** §5.4 */
export const fragmentation: Case[] = [
  legal(
    'a message cut at each place',
    (message) => range(0, 11).flatMap((cut) => message(TEXT, 'hello world', [cut])),
    range(0, 11).map((): Heard => [TEXT, 'hello world']),
  ),
  legal('a message in fragments of one octet', (message) => message(BINARY, 'hello world', range(1, 10)), [
    [BINARY, 'hello world'],
  ]),
  legal('empty fragments first, amid and last', (message) => message(TEXT, 'hello', [0, 0, 1, 1, 1, 5, 5]), [
    [TEXT, 'hello'],
  ]),
  legal(
    'a message of nothing but empty fragments',
    () => [
      clientFrame(TEXT, '', { fin: false }),
      clientFrame(CONTINUATION, '', { fin: false }),
      clientFrame(CONTINUATION, ''),
    ],
    [[TEXT, '']],
  ),
  legal('a ping between all fragments', (message) => pinged(message(TEXT, 'hello', [1, 2, 3, 4])), [
    [PONG, '0'],
    [PONG, '1'],
    [PONG, '2'],
    [PONG, '3'],
    [TEXT, 'hello'],
  ]),
  legal(
    'a pong between fragments',
    (message) => {
      const [first, last] = message(TEXT, 'hello', [2]) as [Buffer, Buffer];
      return [first, clientFrame(PONG, 'x'), last];
    },
    [[TEXT, 'hello']],
  ),
  legal(
    'two fragmented messages, one behind the other',
    (message) => [...message(TEXT, 'one', [1]), ...message(BINARY, 'two', [2])],
    [
      [TEXT, 'one'],
      [BINARY, 'two'],
    ],
  ),
  violation('a continuation of nothing', clientFrame(CONTINUATION, 'x')),
  violation(
    'an unfinished continuation of nothing',
    clientFrame(CONTINUATION, 'x', { fin: false }),
    clientFrame(TEXT, 'x'),
  ),
  violation('a new text inside a message', clientFrame(TEXT, 'a', { fin: false }), clientFrame(TEXT, 'b')),
  violation(
    'a new binary inside a message',
    clientFrame(TEXT, 'a', { fin: false }),
    clientFrame(BINARY, 'b'),
  ),
  violation(
    'a new unfinished text inside a message',
    clientFrame(BINARY, 'a', { fin: false }),
    clientFrame(TEXT, 'b', { fin: false }),
  ),
  {
    name: 'a Close amid a message',
    say: () => [clientFrame(TEXT, 'a', { fin: false }), BYE],
    hears: [HEARS_BYE],
  },
];
