import {
  BINARY,
  CLOSE,
  CONTINUATION,
  clientFrame,
  closePayload,
  compress,
  messageFrames,
  PING,
  PONG,
  TEXT,
} from './rawclient.ts';

/** What a client may say and what it must hear, after the sections of RFC 6455. The other end echoes whole messages. */

export type Heard = readonly [opcode: number, payload: Buffer | string];

export interface Case {
  readonly name: string;
  /** The frames to send; `message` compresses where permessage-deflate was negotiated. */
  readonly say: (message: Message) => Buffer[];
  /** The frames that come back until the server ends the connection. */
  readonly hears: readonly Heard[];
}

type Message = (opcode: number, payload: Buffer | string, cuts?: readonly number[]) => Buffer[];

const BYE = clientFrame(CLOSE, closePayload(1000, 'bye'));
const HEARS_BYE: Heard = [CLOSE, closePayload(1000, 'bye')];
const VIOLATION: Heard = [CLOSE, closePayload(1002, 'The peer broke the WebSocket protocol.')];
const NOT_UTF8: Heard = [CLOSE, closePayload(1007)];

/** A conversation that ends with our Close, and its answer. */
function legal(name: string, say: Case['say'], hears: readonly Heard[]): Case {
  return { name, say: (message) => [...say(message), BYE], hears: [...hears, HEARS_BYE] };
}

/** What the gateway must answer with 1002, whatever follows. */
function violation(name: string, ...frames: Buffer[]): Case {
  return { name, say: () => [...frames, BYE], hears: [VIOLATION] };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** Payload that no two places of have alike for long, and that is ASCII. */
export function filler(length: number): Buffer {
  return Buffer.alloc(
    length,
    Array.from({ length: 997 }, (_, i) => String.fromCharCode(33 + ((i * 31) % 89))).join(''),
  );
}

const LENGTHS = [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537];

/** §5.2: lengths in their three forms. */
const framing: Case[] = [
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
const masking: Case[] = [TEXT, BINARY, PING, PONG, CLOSE].map((opcode) =>
  violation(
    `an unmasked frame of opcode ${opcode}`,
    clientFrame(opcode, opcode === CLOSE ? closePayload(1000) : 'x', { masked: false }),
  ),
);

/** §5.2: what has no meaning yet. */
const reserved: Case[] = [
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
const pings: Case[] = [
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
const fragmentation: Case[] = [
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

const ZEICHEN = 'aκό𝄞€ß\u{10ffff}\ufffe';
const VALID_UTF8: readonly (readonly [name: string, text: string])[] = [
  ['one-octet characters', '\u0000\u007f'],
  ['two-octet characters', '\u0080\u07ff'],
  ['three-octet characters', '\u0800\ud7ff\ue000\uffff'],
  ['four-octet characters', '\u{10000}\u{10ffff}'],
  ['noncharacters', '\ufdd0\ufffe\uffff\u{1fffe}\u{1ffff}\u{10fffe}'],
  ['a byte order mark', '\ufeffa'],
];
const INVALID_UTF8: readonly (readonly [name: string, bytes: readonly number[]])[] = [
  ['a continuation octet alone', [0x80]],
  ['the last continuation octet alone', [0xbf]],
  ['a two-octet character without its second', [0xc3]],
  ['a two-octet character broken off by a letter', [0xc3, 0x41]],
  ['a three-octet character broken off', [0xe2, 0x82]],
  ['a four-octet character broken off', [0xf0, 0x9d, 0x84]],
  ['an overlong slash in two octets', [0xc0, 0xaf]],
  ['an overlong slash in three', [0xe0, 0x80, 0xaf]],
  ['an overlong slash in four', [0xf0, 0x80, 0x80, 0xaf]],
  ['the highest overlong of two', [0xc1, 0xbf]],
  ['the highest overlong of three', [0xe0, 0x9f, 0xbf]],
  ['the highest overlong of four', [0xf0, 0x8f, 0xbf, 0xbf]],
  ['a first surrogate', [0xed, 0xa0, 0x80]],
  ['a last surrogate', [0xed, 0xbf, 0xbf]],
  ['a surrogate pair', [0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80]],
  ['a character beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ['a five-octet character', [0xf8, 0x88, 0x80, 0x80, 0x80]],
  ['a six-octet character', [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80]],
  ['0xfe', [0xfe]],
  ['0xff', [0xff]],
];

/** §8.1: the gateway looks into no payload; the echo server's verdict must reach the client. */
const utf8: Case[] = [
  ...VALID_UTF8.map(([name, text]) =>
    legal(`text of ${name}`, (message) => message(TEXT, text), [[TEXT, text]]),
  ),
  legal(
    'text cut inside each of its characters',
    (message) => range(0, Buffer.byteLength(ZEICHEN)).flatMap((cut) => message(TEXT, ZEICHEN, [cut])),
    range(0, Buffer.byteLength(ZEICHEN)).map((): Heard => [TEXT, ZEICHEN]),
  ),
  legal(
    'what is no UTF-8 in a binary message',
    (message) => INVALID_UTF8.flatMap(([, bytes]) => message(BINARY, Buffer.from(bytes))),
    INVALID_UTF8.map(([, bytes]): Heard => [BINARY, Buffer.from(bytes)]),
  ),
  ...INVALID_UTF8.flatMap(([name, bytes]): Case[] => {
    const payload = Buffer.concat([
      Buffer.from('κα'),
      Buffer.from(bytes),
      Buffer.from(bytes.length === 1 ? '' : 'z'),
    ]);
    const cuts = range(1, payload.length - 1);
    return [
      { name: `text with ${name}`, say: (message) => message(TEXT, payload), hears: [NOT_UTF8] },
      {
        name: `text with ${name}, an octet a fragment`,
        say: (message) => message(TEXT, payload, cuts),
        hears: [NOT_UTF8],
      },
    ];
  }),
];

const LEGAL_CODES = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
];
const ILLEGAL_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];

/** A Close that is answered by the same. */
function answered(name: string, payload: Buffer | string): Case {
  return { name, say: () => [clientFrame(CLOSE, payload)], hears: [[CLOSE, payload]] };
}

/** §5.5.1, §7.4 */
const closing: Case[] = [
  answered('an empty Close', ''),
  ...LEGAL_CODES.map((code) => answered(`Close ${code}`, closePayload(code))),
  ...LEGAL_CODES.map((code) => answered(`Close ${code} with a reason`, closePayload(code, 'Grüße'))),
  answered('a reason of 123 bytes', closePayload(1000, filler(123))),
  answered(
    'a reason of 123 bytes that ends in a four-octet character',
    closePayload(1000, `${filler(119)}𝄞`),
  ),
  ...VALID_UTF8.map(([name, text]) => answered(`a reason of ${name}`, closePayload(3000, text))),
  ...ILLEGAL_CODES.map((code) => violation(`Close ${code}`, clientFrame(CLOSE, closePayload(code)))),
  ...ILLEGAL_CODES.map((code) =>
    violation(`Close ${code} with a reason`, clientFrame(CLOSE, closePayload(code, 'why'))),
  ),
  violation('a Close of one octet', clientFrame(CLOSE, Buffer.from([3]))),
  ...INVALID_UTF8.map(
    ([name, bytes]): Case => ({
      name: `a reason with ${name}`,
      say: () => [clientFrame(CLOSE, closePayload(1000, Buffer.from(bytes)))],
      hears: [[CLOSE, closePayload(1007, 'The payload is not valid UTF-8.')]],
    }),
  ),
  ...(
    [
      ['text', TEXT],
      ['a ping', PING],
      ['a second Close', CLOSE],
      ['what is no frame', 15],
    ] as const
  ).map(([name, opcode]) => ({
    name: `${name} behind a Close`,
    say: () => [BYE, clientFrame(opcode, 'xx')],
    hears: [HEARS_BYE],
  })),
  {
    name: 'a message before the Close, a message behind it',
    say: (message) => [...message(TEXT, 'before'), BYE, ...message(TEXT, 'behind')],
    hears: [[TEXT, 'before'], HEARS_BYE],
  },
];

/** What only holds where permessage-deflate was not negotiated: RSV1 means nothing then. */
export const PLAIN_CASES: readonly Case[] = [TEXT, BINARY].map((opcode) =>
  violation(`RSV1 on opcode ${opcode}`, clientFrame(opcode, compress(Buffer.from('x')), { rsv: 0x40 })),
);

const STORED = Buffer.from([0x00, 0x05, 0x00, 0xfa, 0xff, ...Buffer.from('hello'), 0x00]);

/** What only holds where it was (RFC 7692 §7.2). */
export const DEFLATE_CASES: readonly Case[] = [
  legal('a message that is not compressed', () => messageFrames(TEXT, 'hello'), [[TEXT, 'hello']]),
  legal(
    'compressed and not, by turns',
    (message) => [
      ...message(TEXT, 'one'),
      ...messageFrames(TEXT, 'two', { cuts: [1] }),
      ...message(TEXT, 'three', [1]),
    ],
    [
      [TEXT, 'one'],
      [TEXT, 'two'],
      [TEXT, 'three'],
    ],
  ),
  legal('a stored block', () => [clientFrame(TEXT, STORED, { rsv: 0x40 })], [[TEXT, 'hello']]),
  legal(
    'a fixed block, cut at each place',
    (message) => range(0, compress(filler(64)).length).flatMap((cut) => message(TEXT, filler(64), [cut])),
    range(0, compress(filler(64)).length).map((): Heard => [TEXT, filler(64)]),
  ),
  {
    name: 'what does not inflate',
    say: () => [clientFrame(TEXT, Buffer.from([0xff, 0xff]), { rsv: 0x40 })],
    hears: [[CLOSE, closePayload(1007)]],
  },
];

/** Every case that holds with and without permessage-deflate, by section. */
export const CASES: Readonly<Record<string, readonly Case[]>> = {
  framing,
  masking,
  reserved,
  pings,
  fragmentation,
  utf8,
  closing,
};
