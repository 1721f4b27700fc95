import { describe, expect, test } from 'vitest';
import { Lines } from '../../../src/bridge/tcp/framing/lines.ts';
import { turnsUntil } from '../../support/pairs.ts';
import { BINARY, CLOSE, closeFrame, frame, TEXT } from '../../support/raw.ts';
import { tunnelScenes } from '../../support/tunnel.ts';

/** One message is one line. */

const join = tunnelScenes();
const joinLines = ({ max = 100, opcode = TEXT } = {}) => join({}, { framing: new Lines(max, opcode) });

/** A service that has sent these, each of which is a read. */
async function sending(pieces: readonly (string | Buffer)[], options = {}) {
  const joined = await joinLines(options);
  for (const piece of pieces) {
    const before = joined.ours.bytesRead;
    joined.service.write(Buffer.from(piece as string, 'latin1'));
    await turnsUntil(() => joined.ours.bytesRead > before);
  }
  return joined;
}

/** The messages that become of these, behind which the service ends. */
async function comesDown(pieces: readonly (string | Buffer)[], options = {}) {
  const joined = await sending(pieces, options);
  joined.service.socket.end();
  await turnsUntil(() => joined.client.closeCode !== undefined);
  const messages = joined.client.frames.filter(({ opcode }) => opcode !== CLOSE);
  return { ...joined, messages, closeCode: joined.client.closeCode };
}

describe('up', () => {
  test.each([
    ['without an end', [frame(TEXT, 'NICK a')], 'NICK a\r\n'],
    ['with one of its own', [frame(TEXT, 'NICK a\r\n')], 'NICK a\r\n'],
    ['with half of one', [frame(TEXT, 'NICK a\n'), frame(TEXT, 'NICK b\r')], 'NICK a\r\nNICK b\r\n'],
    ['of nothing', [frame(TEXT, '')], '\r\n'],
    [
      'in fragments',
      [frame(TEXT, 'NI', { fin: false }), frame(0, 'CK', { fin: false }), frame(0, '')],
      'NICK\r\n',
    ],
    ['of any bytes', [frame(BINARY, Buffer.from('\xff\x00', 'latin1'))], '\xff\x00\r\n'],
  ] as const)('a message %s is one line', async (_, frames, lines) => {
    const { client, got, session } = await joinLines();
    for (const byte of Buffer.concat(frames)) await client.say(Buffer.of(byte));
    await client.say(closeFrame(1000));
    await turnsUntil(() => got().length >= lines.length);
    expect(got()).toBe(lines);
    expect(session.up.messages).toBe(frames.filter((bytes) => (bytes[0] as number) & 0x0f).length);
  });

  test.each([
    [
      'a line break within it',
      frame(TEXT, 'PRIVMSG a :b\r\nQUIT'),
      1007,
      'A message is one line here, and holds no line break.',
    ],
    [
      'a bare CR within it',
      frame(BINARY, 'a\rb'),
      1007,
      'A message is one line here, and holds no line break.',
    ],
    ['text that is not UTF-8', frame(TEXT, Buffer.of(0xff)), 1007, 'The payload is not valid UTF-8.'],
    [
      'more than a line has',
      frame(TEXT, 'x'.repeat(101)),
      1009,
      'The message is too big: at most 100 bytes.',
    ],
  ])('%s ends the session, and what was before it has gone up', async (_, bad, code, reason) => {
    const { client, got, service } = await joinLines();
    await client.say(frame(TEXT, 'before'), bad, frame(TEXT, 'behind'));
    expect([client.closeCode, client.frames.at(-1)?.payload.subarray(2).toString()]).toEqual([code, reason]);
    await service.until(() => service.end !== undefined, 'the end');
    expect([got(), service.end]).toEqual(['before\r\n', 'reset']);
  });
});

describe('down', () => {
  test.each([
    ['one read of several lines', ['a\r\nb\n\r\nc\r\n'], ['a', 'b', '', 'c']],
    ['lines cut anywhere', ['P', 'ING :x\r', '\nPO', 'NG\r\n'], ['PING :x', 'PONG']],
    ['a line that is not finished when the service ends', ['a\r\nb'], ['a', 'b']],
    ['a CR that ends no line', ['a\rb\r\n'], ['a\rb']],
    [
      'a character in two reads',
      [Buffer.from('κ\r\n').subarray(0, 1), Buffer.from('κ\r\n').subarray(1)],
      ['κ'],
    ],
    ['what is no UTF-8', ['a\xffb\r\n'], ['a\ufffdb']],
    ['a line as long as may be', [`${'x'.repeat(100)}\r\n`], ['x'.repeat(100)]],
  ])('of %s each line is a text message', async (_, pieces, expected) => {
    const { messages, closeCode, session } = await comesDown(pieces);
    expect(messages).toMatchObject(
      expected.map((line) => ({ opcode: TEXT, fin: true, payload: Buffer.from(line) })),
    );
    expect(closeCode).toBe(1000);
    expect(session.down.messages).toBe(expected.length);
  });

  test('to who asked for bytes they are binary messages, as they came', async () => {
    const { messages } = await comesDown(['a\xffb\r\n'], { opcode: BINARY });
    expect(messages).toMatchObject([{ opcode: BINARY, payload: Buffer.from('a\xffb', 'latin1') }]);
  });

  test.each([
    ['that has come whole', [`ok\r\n${'x'.repeat(101)}\r\n`]],
    ['that has no end', ['ok\r\n', 'x'.repeat(60), 'x'.repeat(60)]],
  ])('a line %s and is too long is the service’s fault', async (_, pieces) => {
    const { client, service, done } = await sending(pieces);
    await turnsUntil(() => client.closeCode !== undefined);
    expect(client.opcodes).toEqual([TEXT, CLOSE]);
    expect(client.closeCode).toBe(1014);
    await service.until(() => service.end !== undefined, 'the end');
    expect(service.end).toBe('reset');
    await client.say(closeFrame(1014));
    client.stream.end();
    expect(await done).toMatchObject({ code: 1014, by: 'upstream', clean: false });
  });

  test('of a service that is reset, half a line is dropped', async () => {
    const { client, service } = await sending(['a\r\nhalf']);
    service.socket.resetAndDestroy();
    await turnsUntil(() => client.closeCode !== undefined);
    expect(client.opcodes).toEqual([TEXT, CLOSE]);
    expect(client.closeCode).toBe(1014);
  });
});
