import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeEvents,
  encodeEvents,
  type SocketEvent,
} from '../../../../src/bridge/poll/websocket-over-http/events.ts';

/** Events as comparable data. */
const plain = (events: readonly SocketEvent[]) =>
  events.map(({ type, content }) => [type, content?.toString('latin1')]);

const decoded = (text: string) => plain(decodeEvents(Buffer.from(text, 'latin1')));

describe('encodeEvents', () => {
  test('writes what Pushpin writes', () => {
    const events = [
      { type: 'TEXT', content: Buffer.from('slow1') },
      { type: 'BINARY', content: Buffer.from([0, 1, 255]) },
      { type: 'TEXT' },
      { type: 'CLOSE', content: Buffer.from('\x0f\xa1bye', 'latin1') },
      { type: 'BINARY', content: Buffer.alloc(0) },
    ];
    expect(encodeEvents(events).toString('latin1')).toBe(
      'TEXT 5\r\nslow1\r\nBINARY 3\r\n\0\x01\xff\r\nTEXT\r\nCLOSE 5\r\n\x0f\xa1bye\r\nBINARY 0\r\n\r\n',
    );
    expect(encodeEvents([{ type: 'TEXT', content: Buffer.alloc(0x2af, 'x') }]).toString()).toMatch(
      /^TEXT 2af\r\n/,
    );
  });
});

describe('decodeEvents', () => {
  test.each([
    ['', []],
    ['OPEN\r\n', [['OPEN', undefined]]],
    ['TEXT A\r\n0123456789\r\n', [['TEXT', '0123456789']]],
    ['TEXT a\r\n01234\r\n789\r\n', [['TEXT', '01234\r\n789']]],
    [
      'TEXT 0\r\n\r\nCLOSE\r\n',
      [
        ['TEXT', ''],
        ['CLOSE', undefined],
      ],
    ],
    ['TEXT 0000001\r\nx\r\n', [['TEXT', 'x']]],
  ])('reads %j', (text, events) => expect(decoded(text)).toEqual(events));

  test.each([
    ['OPEN', 'does not begin with a line'],
    ['OPEN\n', 'does not begin with a line'],
    [`${'X'.repeat(1000)}\r\n`, 'does not begin with a line'],
    ['\r\n', 'type and a length'],
    ['<html>\r\n', 'type and a length'],
    ['text 1\r\nx\r\n', 'type and a length'],
    ['TEXT x\r\nx\r\n', 'type and a length'],
    ['TEXT -1\r\nx\r\n', 'type and a length'],
    ['TEXT  1\r\nx\r\n', 'type and a length'],
    ['TEXT fffffffff\r\nx\r\n', 'type and a length'],
    ['TEXT ffffffff\r\nx\r\n', 'another length'],
    ['TEXT 5\r\nhell\r\n', 'another length'],
    ['TEXT 4\r\nhello\r\n', 'another length'],
    ['TEXT 5\r\nhello', 'another length'],
    ['OPEN\r\n'.repeat(65_537), 'more than 65536 events'],
  ])('refuses %#', (text, detail) => {
    expect(() => decoded(text)).toThrow(
      expect.objectContaining({ code: 'UPSTREAM_INVALID', detail: expect.stringContaining(detail) }),
    );
  });

  const event = fc.record(
    {
      type: fc.constantFrom('OPEN', 'TEXT', 'BINARY', 'PING', 'PONG', 'CLOSE', 'DISCONNECT'),
      content: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    },
    { requiredKeys: ['type'] },
  );

  test('reads what encodeEvents writes, also with lengths in upper case', () => {
    fc.assert(
      fc.property(fc.array(event), fc.boolean(), (events, isUpper) => {
        const body = Buffer.concat(events.map((one) => raised(encodeEvents([one]), isUpper)));
        expect(plain(decodeEvents(body))).toEqual(plain(events));
      }),
    );
  });

  /** An event with the length in upper case. */
  function raised(body: Buffer, isUpper: boolean): Buffer {
    const end = body.indexOf('\r\n');
    const line = body.toString('latin1', 0, end);
    return Buffer.concat([Buffer.from(isUpper ? line.toUpperCase() : line), body.subarray(end)]);
  }

  test('reads the beginning of a body only if it ends behind an event, and throws for nothing else', () => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 1 }), fc.nat(), (events, at) => {
        const body = encodeEvents(events);
        const borders = events.map((_, index) => encodeEvents(events.slice(0, index)).length);
        const cut = at % body.length;
        if (borders.includes(cut))
          expect(decodeEvents(body.subarray(0, cut))).toHaveLength(borders.indexOf(cut));
        else
          expect(() => decodeEvents(body.subarray(0, cut))).toThrow(
            expect.objectContaining({ code: 'UPSTREAM_INVALID' }),
          );
      }),
    );
  });

  test('takes any bytes, or says that they are invalid', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeEvents(Buffer.from(bytes));
        } catch (error) {
          expect(error).toMatchObject({ code: 'UPSTREAM_INVALID' });
        }
      }),
    );
  });
});
