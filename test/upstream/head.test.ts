import { request } from 'node:http';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readSwitch } from '../../src/upstream/head.ts';

const LINE = 'HTTP/1.1 101 Switching Protocols\r\n';
const bytes = (text: string) => Buffer.from(text, 'latin1');
const read = (text: string) => readSwitch(bytes(text));

/** What Node's client makes of an answer: the fields of its 101 and what came behind, or undefined if it takes it for no 101. */
function byNode(answer: Buffer): Promise<{ fields: string[][]; rest: string } | undefined> {
  return new Promise((resolve) => {
    const wire = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    const asked = request({ createConnection: () => wire, maxHeaderSize: 16 * 1024 });
    asked.on('error', () => resolve(undefined)).on('response', () => resolve(undefined));
    asked.on('upgrade', ({ rawHeaders }, _socket, head) => {
      const fields: string[][] = [];
      for (let i = 0; i < rawHeaders.length; i += 2)
        fields.push([rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '']);
      resolve({ fields, rest: head.toString('latin1') });
    });
    asked.end();
    wire.push(answer);
    wire.push(null);
  });
}

describe('takes apart', () => {
  test.each<[string, string, string[][]]>([
    [
      'a 101',
      `${LINE}Upgrade: websocket\r\nA: b\r\n\r\n`,
      [
        ['Upgrade', 'websocket'],
        ['A', 'b'],
      ],
    ], // prettier
    ['blanks around a value, and no others', `${LINE}A: \t b c\u00a0 \t\r\n\r\n`, [['A', 'b c\u00a0']]],
    ['an empty value', `${LINE}A:\r\n\r\n`, [['A', '']]],
    [
      'a name sent twice',
      `${LINE}A: 1\r\na: 2\r\n\r\n`,
      [
        ['A', '1'],
        ['a', '2'],
      ],
    ], // prettier
    ['no reason, and no field', 'HTTP/1.1 101\r\n\r\n', []],
    [
      'interim answers before it',
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nB: c\r\n\r\n${LINE}A: b\r\n\r\n`,
      [['A', 'b']],
    ],
  ])('%s', (_name, text, fields) => {
    expect(read(`${text}\x81\x00`)).toEqual({ fields, length: text.length });
  });
});

test('waits for more at every place a 101 may be cut', () => {
  const text = `HTTP/1.1 100 Continue\r\n\r\n${LINE}Upgrade: websocket\r\n\r\n`;
  for (let end = 0; end < text.length; end++) expect(read(text.slice(0, end)), `${end}`).toBeUndefined();
  expect(read(text)).toMatchObject({ length: text.length });
});

test.each([
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.0 101 Switching\r\n',
  'HTTP/1.1 404',
  'HTTP/2',
  'SSH-2.0-x\r\n',
  '\r\n',
  'http/1.1 101\r\n',
  `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 No\r\n`,
])('leaves to Node what is no 101: %j', (text) => {
  expect(read(text)).toBe('other');
});

test.each([
  ['a space before the colon', `${LINE}A : b\r\n\r\n`],
  ['a folded line', `${LINE}A: b\r\n c\r\n\r\n`],
  ['a line without a colon', `${LINE}A\r\n\r\n`],
  ['no name', `${LINE}: b\r\n\r\n`],
  ['a bare CR', `${LINE}A: b\rc\r\n\r\n`],
  ['a bare LF in a whole head', `${LINE}A: b\nc: d\r\n\r\n`],
  ['a bare LF in a head that does not end', 'HTTP/1.1 101 x\nA: b\n\n'],
  ['a NUL', `${LINE}A: b\0\r\n\r\n`],
  ['four digits', 'HTTP/1.1 1010 x\r\n\r\n'],
  ['two digits', 'HTTP/1.1 10 x\r\n\r\n'],
  ['no end within 16 KiB', `${LINE}A: ${'b'.repeat(16 * 1024)}`],
  ['an end behind 16 KiB', `${LINE}A: ${'b'.repeat(16 * 1024)}\r\n\r\n`],
  ['interim answers of 16 KiB', 'HTTP/1.1 103 x\r\n\r\n'.repeat(1000)],
])('refuses %s', (_name, text) => {
  expect(() => read(text)).toThrow(expect.objectContaining({ code: 'UPSTREAM_INVALID' }));
});

test('takes a head of 16 KiB, and none of a byte more', () => {
  const head = (length: number) => `${LINE}A: ${'b'.repeat(length - LINE.length - 7)}\r\n\r\n`;
  expect(read(`${head(16 * 1024)}\x81\x00`)).toMatchObject({ length: 16 * 1024 });
  expect(() => read(head(16 * 1024 + 1))).toThrow(
    expect.objectContaining({ detail: 'its head is larger than 16 KiB' }),
  );
});

describe('takes nothing that Node does not take, and takes it as the same', () => {
  const character = fc.oneof(
    fc.constantFrom(' ', '\t', ':', '\r', '\n', '\r\n', '\0', ',', 'a', '1', '\u00a0', '\u007f'),
    fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  );
  const name = fc.oneof(fc.constantFrom('X-A', 'Set-Cookie', 'x_b', 'Date'), fc.string({ unit: character }));
  const value = fc.oneof(fc.string({ unit: character, maxLength: 8 }), fc.constantFrom(' b ', '\tc\t', ''));
  const field = fc.tuple(name, value).map(([key, text]) => `${key}:${text}\r\n`);
  const interim = fc.constantFrom('', '', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 x\r\nA: b\r\n\r\n');
  const reason = fc.oneof(fc.constantFrom('', ' ', ' Switching Protocols'), fc.string({ unit: character }));
  const upgrade = 'Upgrade: websocket\r\nConnection: Upgrade\r\n';
  const answer = fc
    .tuple(interim, reason, fc.array(field, { maxLength: 3 }), fc.string({ unit: character }))
    .map(
      ([before, why, fields, rest]) =>
        `${before}HTTP/1.1 101${why}\r\n${upgrade}${fields.join('')}\r\n${rest}`,
    );

  test('whatever it is given', async () => {
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(answer, async (text) => {
        const head = tryRead(text);
        if (head === undefined || head === 'other' || isFaulty(head.fields)) return;
        taken += 1;
        expect(await byNode(bytes(text))).toEqual({ fields: head.fields, rest: text.slice(head.length) });
      }),
      { numRuns: 3000 },
    );
    expect(taken).toBeGreaterThan(300);
  });

  function tryRead(text: string) {
    try {
      return read(text);
    } catch {
      return undefined;
    }
  }

  /** The handshake refuses these, whatever else is in them. */
  function isFaulty(fields: readonly (readonly [string, string])[]): boolean {
    const names = fields.map(([key]) => key.toLowerCase());
    return (
      !names.includes('upgrade') || names.includes('content-length') || names.includes('transfer-encoding')
    );
  }
});
