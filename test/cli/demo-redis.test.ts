import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { matchesGlob } from '../../src/cli/demo/redis/glob.ts';
import { CommandReader } from '../../src/cli/demo/redis/resp.ts';
import { startRedis } from '../../src/cli/demo/redis/service.ts';
import type { Service } from '../../src/cli/demo/service.ts';
import { answered, pageModule, piecesOf, visitorOf } from '../support/demo-visitor.ts';
import { eventually } from '../support/patience.ts';
import { command } from '../support/redis.ts';

/** The demo's Redis, and the client of it in the demo's page. */

interface PageClient {
  wordsOf(line: string): string[];
  encodeCommand(words: readonly string[]): Uint8Array;
  replyReader(onReply: (text: string) => void): (bytes: Uint8Array) => void;
}

const { wordsOf, encodeCommand, replyReader } = await pageModule<PageClient>('redis.js');

let redis: Service;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.close());
beforeEach(async () => void (await answered(redis.port, 'FLUSHALL\r\n')));

/** What the page shows for what is typed there, all of it sent at once. */
async function shown(...lines: readonly string[]): Promise<string[]> {
  const sent = Buffer.concat(lines.map((line) => encodeCommand(wordsOf(line))));
  return textsIn(await answered(redis.port, sent));
}

function textsIn(bytes: Buffer): string[] {
  const texts: string[] = [];
  const read = replyReader((text) => texts.push(text));
  // In pieces that end anywhere.
  for (const piece of piecesOf(bytes)) read(piece);
  return texts;
}

const OUT_OF_RANGE = '(error) ERR value is not an integer or out of range';

describe('a visitor types, and sees', () => {
  test.each<readonly [string, readonly string[], readonly string[]]>([
    ['a value', ['SET greeting hello', 'GET greeting'], ['OK', '"hello"']],
    [
      'words in quotes',
      [`SET a "two \\"words\\""`, "SET b 'and  two'", 'GET a', 'get b'],
      ['OK', 'OK', '"two \\"words\\""', '"and  two"'],
    ],
    ['any letters', ['SET größe 木', 'GET größe', 'STRLEN größe'], ['OK', '"木"', '(integer) 3']],
    ['nothing', ['GET nowhere', 'STRLEN nowhere', 'KEYS *'], ['(nil)', '(integer) 0', '(empty array)']],
    [
      'numbers',
      ['INCR n', 'INCRBY n 41', 'DECR n', 'GET n'],
      ['(integer) 1', '(integer) 42', '(integer) 41', '"41"'],
    ],
    ['what is no number', ['SET n x', 'INCR n', 'INCRBY m 1.5'], ['OK', OUT_OF_RANGE, OUT_OF_RANGE]],
    [
      'the greatest number',
      ['SET n 9223372036854775806', 'INCR n', 'INCR n'],
      ['OK', '(integer) 9223372036854775807', OUT_OF_RANGE],
    ],
    [
      'keys',
      ['SET a1 x', 'SET a2 x', 'SET b x', 'KEYS a?', 'DBSIZE'],
      ['OK', 'OK', 'OK', '1) "a1"\n2) "a2"', '(integer) 3'],
    ],
    [
      'keys go',
      ['SET a x', 'EXISTS a b', 'DEL a b', 'EXISTS a'],
      ['OK', '(integer) 1', '(integer) 1', '(integer) 0'],
    ],
    ['a longer value', ['APPEND a x', 'APPEND a yz', 'GET a'], ['(integer) 1', '(integer) 3', '"xyz"']],
    ['himself', ['ACL WHOAMI', 'PING', 'PING x', 'ECHO y'], ['"ada"', 'PONG', '"x"', '"y"']],
    [
      'what is wrong',
      ['GET', 'SET a b c', 'ACL LIST'],
      [
        "(error) ERR wrong number of arguments for 'get' command",
        "(error) ERR wrong number of arguments for 'set' command",
        "(error) ERR unknown subcommand 'LIST'",
      ],
    ],
  ])('%s', async (_, lines, replies) => {
    expect(await shown(...lines)).toEqual(replies);
  });

  test('which commands there are', async () => {
    expect(await shown('FLY')).toEqual([
      expect.stringMatching(/^\(error\) ERR unknown command 'FLY'; here are PING .* ACL$/),
    ]);
  });

  test('no answer behind a goodbye', async () => {
    expect(await shown('QUIT', 'PING')).toEqual(['OK']);
  });
});

test('what one visitor has set, another one gets', async () => {
  await answered(redis.port, 'SET a 1\r\n', 'ada');
  expect(String(await answered(redis.port, 'GET a\r\nACL WHOAMI\r\n', 'größe'))).toBe(
    '$1\r\n1\r\n$7\r\ngröße\r\n',
  );
});

test('values are bytes', async () => {
  const bytes = Buffer.from([0, 13, 10, 255]);
  const sent = Buffer.concat([command('SET', 'a', bytes), command('GET', 'a')]);
  expect(await answered(redis.port, sent)).toEqual(
    Buffer.concat([Buffer.from('+OK\r\n$4\r\n'), bytes, Buffer.from('\r\n')]),
  );
});

describe('a command', () => {
  const words = ['SET', 'a', 'x\r\ny'];

  test('may come in pieces', () => {
    const reader = new CommandReader();
    const bytes = Buffer.concat([command(...words), Buffer.from('PING  x\r\n\r\n'), command('GET', '')]);
    const found = [...bytes].flatMap((byte) => [...reader.read(Buffer.of(byte))]);
    expect(found).toEqual([words, ['PING', 'x'], ['GET', '']]);
  });

  test.each([
    ['without a number', '*x\r\n', 'invalid length: at most 64'],
    ['of many words', '*65\r\n', 'invalid length: at most 64'],
    ['of no word', '*-1\r\n', 'invalid length: at most 64'],
    ['of another thing', '*1\r\n+OK\r\n', "expected '$', got '+'"],
    ['of a long word', '*1\r\n$16385\r\n', 'invalid length: at most 16384'],
    ['with an odd number', '*1\r\n$1e3\r\n', 'invalid length: at most 16384'],
    ['of a long line', `GET ${'x'.repeat(5_000)}`, 'too big a line'],
    ['of much', `*8\r\n${`$16000\r\n${'x'.repeat(16_000)}\r\n`.repeat(5)}`, 'too big a command'],
  ])('%s ends the connection, and is told why', async (_, bytes, fault) => {
    const reply = await answered(redis.port, bytes);
    expect(String(reply)).toBe(`-ERR Protocol error: ${fault}\r\n`);
  });
});

describe('memory is bounded:', () => {
  test('there are a thousand keys at most', async () => {
    const sets = Array.from({ length: 1_001 }, (_, at) => `SET ${at} x\r\n`).join('');
    const replies = String(await answered(redis.port, `${sets}SET 7 y\r\nINCR n\r\n`)).split('\r\n');
    expect(replies.slice(1_000, 1_003)).toEqual([
      '-OOM there are 1000 keys: DEL some',
      '+OK',
      '-OOM there are 1000 keys: DEL some',
    ]);
  });

  test.each([
    ['a long key', command('SET', 'k'.repeat(257), ''), 'ERR a key has at most 256 bytes here'],
    [
      'a long value',
      Buffer.concat([command('APPEND', 'a', 'x'.repeat(16_384)), command('APPEND', 'a', 'x')]),
      'ERR a value has at most 16384 bytes here',
    ],
    ['a long pattern', command('KEYS', '*'.repeat(65)), 'ERR a pattern has at most 64 bytes here'],
  ])('%s is refused', async (_, bytes, fault) => {
    expect(String(await answered(redis.port, bytes))).toMatch(new RegExp(`-${fault}\r\n$`));
  });

  test('whoever does not read is not served further', async () => {
    await answered(redis.port, command('SET', 'a', 'x'.repeat(16_000)));
    const socket = await visitorOf(redis.port);
    socket.pause();
    // 64 MiB of replies to 64 KiB of commands: more than the system keeps for a connection.
    socket.end('GET a\r\nINCR n\r\n'.repeat(4_000));
    const served = async () => Number((await shown('GET n'))[0]?.replace(/\D/g, ''));
    await eventually(async () => (await served()) > 0);
    expect(await served()).toBeLessThan(4_000);
    socket.resume();
    await once(socket, 'end');
    expect(await served()).toBe(4_000);
  });
});

test('whoever does not say whom the connection is for is reset', async () => {
  const socket = connect(redis.port, '127.0.0.1');
  socket.write('PING\r\n');
  const [error] = await once(socket, 'error');
  expect(error.code).toBe('ECONNRESET');
});

test.each([
  ['', '', true],
  ['', '*', true],
  ['a', '', false],
  ['abc', 'a*', true],
  ['abc', '*c', true],
  ['abc', 'a*c', true],
  ['abc', '*b', false],
  ['abc', 'a?c', true],
  ['abc', '????', false],
  ['aXbXc', 'a*b*c', true],
  ['aaab', '*a*ab', true],
  ['abcb', 'a*cb**', true],
  ['a.c', 'a.c', true],
  ['abc', 'a.c', false],
])('whether %j matches %j: %j', (text, pattern, matches) => {
  expect(matchesGlob(text, pattern)).toBe(matches);
});
