import { expect, test } from 'vitest';
import { hidingChannelBinding } from '../../../src/upstream/starttls/channel-binding.ts';

/** A message of PostgreSQL: its type, and what it says. */
function message(type: string, ...parts: (number | string)[]): Buffer {
  const payload = Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'string') return Buffer.from(part, 'latin1');
      const number = Buffer.alloc(4);
      number.writeInt32BE(part);
      return number;
    }),
  );
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeInt32BE(payload.length + 4, 1);
  return Buffer.concat([head, payload]);
}

const OFFER = 'SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0';
const HIDDEN = 'SCRAM-SHA-256-NONE\0SCRAM-SHA-256\0\0';
const offered = message('R', 10, OFFER);
const hidden = message('R', 10, HIDDEN);
/** NegotiateProtocolVersion. */
const version = message('v', 0x0003_0000, 0);

const joined = (...buffers: Buffer[]) => Buffer.concat(buffers);

test.each<[string, Buffer[], Buffer[]]>([
  ['is hidden in the first message', [offered], [hidden]],
  ['or behind the version', [joined(version, offered)], [joined(version, hidden)]],
  ['in a chunk of its own, too', [version, offered], [version, hidden]],
  [
    'but nowhere else',
    [joined(message('R', 0), offered), offered],
    [joined(message('R', 0), offered), offered],
  ],
  ['nor behind an error', [message('E', OFFER), offered], [message('E', OFFER), offered]],
  ['nor in other messages', [message('R', 5, OFFER)], [message('R', 5, OFFER)]],
  [
    'what is no message of PostgreSQL is left alone',
    [Buffer.from(`v${OFFER}`), offered],
    [Buffer.from(`v${OFFER}`), offered],
  ],
  [
    'what is too short is left alone',
    [Buffer.alloc(0), Buffer.from('R')],
    [Buffer.alloc(0), Buffer.from('R')],
  ],
])('channel binding %s', (_, said, heard) => {
  const overhear = hidingChannelBinding();
  const chunks = said.map((chunk) => Buffer.from(chunk));
  for (const chunk of chunks) overhear(chunk);
  expect(chunks.map(String)).toEqual(heard.map(String));
});
