import { BINARY, TEXT } from '../rawclient.ts';
import { type Case, type Heard, legal, NOT_UTF8, range } from './case.ts';

/** RFC 6455 §8.1: text is UTF-8. */

const ZEICHEN = 'aκό𝄞€ß\u{10ffff}\ufffe';
/** Names and texts. */
export const VALID_UTF8: readonly (readonly [name: string, text: string])[] = [
  ['one-octet characters', '\u0000\u007f'],
  ['two-octet characters', '\u0080\u07ff'],
  ['three-octet characters', '\u0800\ud7ff\ue000\uffff'],
  ['four-octet characters', '\u{10000}\u{10ffff}'],
  ['noncharacters', '\ufdd0\ufffe\uffff\u{1fffe}\u{1ffff}\u{10fffe}'],
  ['a byte order mark', '\ufeffa'],
];
/** Names and octets. */
export const INVALID_UTF8: readonly (readonly [name: string, bytes: readonly number[]])[] = [
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
export const utf8: Case[] = [
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
