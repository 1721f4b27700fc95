import { BINARY, CLOSE, clientFrame, closePayload, compress, messageFrames, TEXT } from '../rawclient.ts';
import { type Case, filler, type Heard, legal, range, violation } from './case.ts';

/** RFC 7692: permessage-deflate. */

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
