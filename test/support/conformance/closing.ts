import { CLOSE, clientFrame, closePayload, PING, TEXT } from '../rawclient.ts';
import { BYE, type Case, filler, HEARS_BYE, violation } from './case.ts';
import { INVALID_UTF8, VALID_UTF8 } from './text.ts';

/** RFC 6455 §5.5.1 and §7: the end. */

const LEGAL_CODES = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
];
const ILLEGAL_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];

/** A Close that is answered by the same. */
function answered(name: string, payload: Buffer | string): Case {
  return { name, say: () => [clientFrame(CLOSE, payload)], hears: [[CLOSE, payload]] };
}

/** §5.5.1, §7.4 */
export const closing: Case[] = [
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
