import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileFraming } from '../../../../src/bridge/poll/generic/framing.ts';

function answer(body: string | Buffer, type = 'application/json') {
  return { status: 200, headers: { 'content-type': type }, body: Buffer.from(body) };
}

function texts(framing: Parameters<typeof compileFraming>[0], body: string): unknown[] {
  return compileFraming(framing)(answer(body)).messages.map(({ data }) => data);
}

describe('body', () => {
  const read = compileFraming({ framing: 'body' });
  test.each([
    ['text/plain', false],
    ['TEXT/html; charset=utf-8', false],
    ['application/json', false],
    ['application/problem+json; charset=utf-8', false],
    ['application/jsonp', true],
    ['application/atom+xml', false],
    ['application/xml; charset=utf-8', false],
    ['application/javascript', false],
    ['application/x-ndjson', false],
    ['application/x-www-form-urlencoded', false],
    ['application/vnd.own; charset=utf-8', false],
    ['application/octet-stream', true],
    ['image/svg', true],
    ['', true],
  ])('takes %s as binary: %s', (type, binary) => {
    const { messages } = read(answer('{}', type));
    expect(messages).toEqual([{ data: binary ? Buffer.from('{}') : '{}', binary }]);
  });

  test.each([
    ['text', 'image/png', { data: '{}', binary: false }],
    ['binary', 'text/plain', { data: Buffer.from('{}'), binary: true }],
    ['auto', 'text/plain', { data: '{}', binary: false }],
  ] as const)('is %s where that is said, whatever %s is', (type, contentType, expected) => {
    expect(compileFraming({ framing: 'body', type })(answer('{}', contentType)).messages).toEqual([expected]);
  });

  test('has no message in an empty body', () => {
    expect(read(answer('')).messages).toEqual([]);
  });

  test('refuses text that is not UTF-8', () => {
    expect(() => read(answer(Buffer.from([0xff]), 'text/plain'))).toThrow(
      expect.objectContaining({ code: 'UPSTREAM_INVALID' }),
    );
  });

  test('keeps a byte order mark', () => {
    expect(read(answer('\ufeffa', 'text/plain')).messages[0]?.data).toBe('\ufeffa');
  });
});

describe('json', () => {
  test.each([
    ['{"node":{"key":"a","value":[1]}}', ['{"key":"a","value":[1]}']],
    ['{"node":"text"}', ['text']],
    ['{"other":1}', []],
    ['\ufeff{"node":1}', ['1']],
  ])('takes what stands at the pointer in %j', (body, expected) => {
    expect(texts({ framing: 'json', at: '/node' }, body)).toEqual(expected);
  });

  test('takes all of the body without one', () => {
    expect(texts({ framing: 'json' }, '[1, 2]')).toEqual(['[1,2]']);
  });
});

describe('json-array', () => {
  test('drops a byte order mark', () => {
    expect(texts({ framing: 'json-array' }, '\ufeff["a"]')).toEqual(['a']);
  });

  test('may hold binary messages', () => {
    const { messages } = compileFraming({ framing: 'json-array', type: 'binary' })(answer('["a"]'));
    expect(messages).toEqual([{ data: Buffer.from('a'), binary: true }]);
  });

  test('takes the items at the pointer: strings as they are, others as JSON', () => {
    const body = '{"events":["a",{"b":1},2,null,12345678901234567890]}';
    const expected = ['a', '{"b":1}', '2', 'null', '12345678901234567890'];
    expect(texts({ framing: 'json-array', at: '/events' }, body)).toEqual(expected);
  });

  test('passes over items that have no message', () => {
    const body = '[{"data":"x"},{"type":"heartbeat"},{"data":{"y":1}}]';
    expect(texts({ framing: 'json-array', item: '/data' }, body)).toEqual(['x', '{"y":1}']);
  });

  test('has no message where there is no array', () => {
    expect(texts({ framing: 'json-array', at: '/events' }, '{"next":5}')).toEqual([]);
  });

  test.each(['{"events":', '{"events":{}}', '{"events":"x"}', '\xff'])('refuses %j', (body) => {
    const read = compileFraming({ framing: 'json-array', at: '/events' });
    expect(() => read(answer(Buffer.from(body, 'latin1')))).toThrow(
      expect.objectContaining({ code: 'UPSTREAM_INVALID' }),
    );
  });
});

test.each(['json', 'json-array', 'ndjson'] as const)(
  '%s that is nested without end is refused',
  (framing) => {
    const deep = `[${'['.repeat(500_000)}${']'.repeat(500_000)}]`;
    expect(() => texts({ framing }, deep)).toThrow(expect.objectContaining({ code: 'UPSTREAM_INVALID' }));
  },
);

test.each([
  ['json-array', (count: number) => `[${Array(count).fill('0')}]`],
  ['ndjson', (count: number) => '0\n'.repeat(count)],
  ['lines', (count: number) => '0\n'.repeat(count)],
  ['sse', (count: number) => 'data: 0\n\n'.repeat(count)],
] as const)('%s holds 65536 messages at most', (framing, bodyOf) => {
  expect(texts({ framing }, bodyOf(65_536))).toHaveLength(65_536);
  expect(() => texts({ framing }, bodyOf(65_537))).toThrow(
    expect.objectContaining({ code: 'UPSTREAM_INVALID' }),
  );
});

test('lines are messages, but empty ones', () => {
  expect(texts({ framing: 'lines' }, 'a\r\n\nb: c\n{d')).toEqual(['a', 'b: c', '{d']);
});

test('whole event streams are messages, with their last id', () => {
  const { messages, items } = compileFraming({ framing: 'sse' })(
    answer('id: 4\ndata: a\n\ndata: b\n\ndata: c'),
  );
  expect(messages.map(({ data }) => data)).toEqual(['a', 'b']);
  expect(items.at(-1)?.id).toBe('4');
});

describe('ndjson', () => {
  test('takes one message a line, empty lines none', () => {
    expect(texts({ framing: 'ndjson' }, '"a"\n\n{"b":[1,2]}\r\n   \n3')).toEqual(['a', '{"b":[1,2]}', '3']);
  });

  test('looks for the cursor in the last line', () => {
    const { document } = compileFraming({ framing: 'ndjson' })(answer('{"id":1}\n{"id":2}\n\n'));
    expect(document()).toEqual({ id: 2 });
  });

  test('gives back any strings', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (strings) => {
        const body = strings.map((text) => `${JSON.stringify(text)}\n`).join('');
        expect(texts({ framing: 'ndjson' }, body)).toEqual(strings);
      }),
    );
  });

  test('throws nothing but UPSTREAM_INVALID, whatever comes', () => {
    const read = compileFraming({ framing: 'ndjson', item: '/a' });
    const piece = fc.constantFrom('{"a":', '1', '}', '[', ']', '"', '\\u', ',', '\n', '\r', '\ufeff');
    const lines = fc.array(piece, { maxLength: 12 }).map((pieces) => Buffer.from(pieces.join('')));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), lines), (bytes) => {
        try {
          read(answer(Buffer.from(bytes)));
        } catch (error) {
          expect(error).toMatchObject({ code: 'UPSTREAM_INVALID' });
        }
      }),
    );
  });
});
