import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Cursors, compileCursors } from '../../../../src/bridge/poll/generic/cursor.ts';
import { compileEnd } from '../../../../src/bridge/poll/generic/end.ts';
import { compileStreaming } from '../../../../src/bridge/poll/generic/streaming.ts';
import type { Batch } from '../../../../src/bridge/poll/profile.ts';
import type { GenericConfig } from '../../../../src/config/poll/index.ts';
import { inPieces, pieces } from '../../../support/pieces.ts';
import { pollRoute } from '../../../support/poll.ts';

/** A stream as it is configured, and where its session stands. */
function stream(messages: object, cursor?: object, first: Cursors = [undefined], end?: object) {
  const poll = { path: '/feed', mode: 'stream', end };
  const config = pollRoute({ target: 'http://127.0.0.1:1', poll, messages, cursor }).upstream
    .poll as GenericConfig;
  const rules = config.cursor && compileCursors(config.cursor);
  const holder = { cursors: first, initialCursors: first };
  const open = compileStreaming(config.messages, 100, { rules, isLast: compileEnd(config.poll?.end) });
  const reader = (headers = {}) => open({ status: 200, headers }, holder);
  return { holder, reader };
}

function textsOf(batches: readonly Batch[]): string[] {
  return batches.flatMap(({ messages }) => messages.map(({ data }) => data.toString()));
}

function read(messages: object, body: string): string[] {
  const reader = stream(messages).reader();
  return textsOf([...reader.push(Buffer.from(body)), ...reader.end()]);
}

describe('what is a message', () => {
  test.each([
    [{ framing: 'sse' }, 'data: a\n\ndata: {"b": 1}\n\ndata: [DONE]\n\n', ['a', '{"b": 1}', '[DONE]']],
    [
      { framing: 'sse', sse: 'event' },
      'event: add\nid: 7\ndata: a\n\n:\n\ndata: b\n\n',
      ['{"event":"add","id":"7","data":"a"}', '{"event":"message","id":"7","data":"b"}'],
    ],
    [
      { framing: 'sse', item: 'json:/delta' },
      'data: {"delta":"Hel"}\n\ndata: {"usage":3}\n\ndata: {"delta":{"x":1}}\n\ndata: [DONE]\n\n',
      ['Hel', '{"x":1}', '[DONE]'],
    ],
    [
      { framing: 'ndjson' },
      '{"a":1}\r\n\n"b"\n12345678901234567890',
      ['{"a":1}', 'b', '12345678901234567890'],
    ],
    [
      { framing: 'sse', events: ['data', 'message'] },
      'event: data\ndata: a\n\nevent: control\ndata: {"next":1}\n\ndata: b\n\n',
      ['a', 'b'],
    ],
    [{ framing: 'ndjson', item: 'json:/a' }, '{"a":1}\n{}\n', ['1']],
    [{ framing: 'lines' }, 'a \r\n\nb: {\nc', ['a ', 'b: {', 'c']],
  ])('%o', (messages, body, expected) => expect(read(messages, body)).toEqual(expected));

  test('may be binary', () => {
    const reader = stream({ framing: 'lines', type: 'binary' }).reader();
    expect(reader.push(Buffer.from('a\n'))).toMatchObject([
      { messages: [{ data: Buffer.from('a'), binary: true }] },
    ]);
  });

  test.each([
    ['a line of no JSON', { framing: 'ndjson' }, '{"a":\n'],
    ['a line that is too long', { framing: 'lines' }, 'x'.repeat(101)],
    ['an event that is too large', { framing: 'sse' }, `data: ${'x'.repeat(60)}\n`.repeat(2)],
  ])('%s is refused', (_, messages, body) => {
    const { reader } = stream(messages);
    expect(() => reader().push(Buffer.from(body))).toThrow(
      expect.objectContaining({ code: 'UPSTREAM_INVALID' }),
    );
  });

  test('what says that it is something else is no event stream', () => {
    const { reader } = stream({ framing: 'sse' });
    expect(() => reader({ 'content-type': 'text/event-stream; charset=utf-8' })).not.toThrow();
    expect(() => reader({ 'content-type': 'text/html' })).toThrow(
      expect.objectContaining({ code: 'UPSTREAM_INVALID' }),
    );
  });
});

describe('the cursor of a stream', () => {
  const EVENTS = 'id: 1\ndata: a\n\ndata: b\n\nid: 2\n\nid: 3\ndata: c\n\n';

  test('moves when the messages before it are out, not when they are read', () => {
    const { holder, reader } = stream({ framing: 'sse' }, { from: 'event:id', send: 'header:last-event-id' });
    const [first, second] = ['id: 1\ndata: a\n\n', 'id: 2\ndata: b\n\n'].flatMap((text) =>
      reader().push(Buffer.from(text)),
    );
    expect(holder.cursors).toEqual([undefined]);
    first?.commit();
    expect(holder.cursors).toEqual(['1']);
    second?.commit();
    expect(holder.cursors).toEqual(['2']);
  });

  test('one piece of a body is one batch, with its last cursor', () => {
    const { holder, reader } = stream({ framing: 'sse' }, { from: 'event:id', send: 'header:last-event-id' });
    const batches = reader().push(Buffer.from(EVENTS));
    expect(batches).toMatchObject([{ cursor: 'moved' }]);
    expect(textsOf(batches)).toEqual(['a', 'b', 'c']);
    for (const batch of batches) batch.commit();
    expect(holder.cursors).toEqual(['3']);
  });

  test('moves without a message, and stays where messages have none', () => {
    const { reader } = stream({ framing: 'sse' }, { from: 'event:id', send: 'header:last-event-id' });
    const parser = reader();
    expect(parser.push(Buffer.from('id: 1\n\n'))).toMatchObject([{ messages: [], cursor: 'moved' }]);
    expect(parser.push(Buffer.from('data: a\n\n'))).toMatchObject([{ cursor: 'unmoved' }]);
    expect(parser.push(Buffer.from(':\n'))).toEqual([]);
  });

  test('passes over what has come before, if it is to', () => {
    const cursor = { from: 'item:/n', send: 'query:n', unchanged: 'skip' };
    const { reader } = stream({ framing: 'ndjson', item: 'json:/m' }, cursor, ['1']);
    expect(textsOf(reader().push(Buffer.from('{"n":1,"m":"a"}\n{"n":2,"m":"b"}\n')))).toEqual(['b']);
  });

  test('is the same wherever the body is cut', () => {
    const line = fc.constantFrom('{"n":1,"m":"é"}', '{"n":"2"}', '{"m":"😀"}', '', '{"n":3,"m":"x"}');
    const body = fc.array(line, { maxLength: 20 }).map((lines) => lines.map((text) => `${text}\n`).join(''));
    const cursor = { from: 'item:/n', send: 'query:n' };
    fc.assert(
      fc.property(body, pieces(), (text, cuts) => {
        const whole = stream({ framing: 'ndjson', item: 'json:/m' }, cursor);
        const cut = stream({ framing: 'ndjson', item: 'json:/m' }, cursor);
        const reader = cut.reader();
        const wanted = whole.reader().push(Buffer.from(text));
        const found = inPieces(Buffer.from(text), cuts, (piece) => reader.push(piece));
        for (const batch of [...wanted, ...found]) batch.commit();
        expect(textsOf(found)).toEqual(textsOf(wanted));
        expect(cut.holder.cursors).toEqual(whole.holder.cursors);
      }),
    );
  });
});

describe('a stream that says its cursor is gone', () => {
  const WATCH = {
    from: 'item:/object/metadata/resourceVersion',
    send: 'query:resourceVersion',
    reset: { json: { '/type': 'ERROR', '/object/code': 410 } },
  };
  const GONE = '{"type":"ERROR","object":{"code":410,"metadata":{}}}\n';
  const added = (version: number) =>
    `{"type":"ADDED","object":{"metadata":{"resourceVersion":"${version}"}}}\n`;

  test('has its messages before that delivered, and goes on where it began, after a wait', () => {
    const { holder, reader } = stream({ framing: 'ndjson', item: 'json:/type' }, WATCH);
    holder.cursors = ['5'];
    const parser = reader();
    const batches = [
      ...parser.push(Buffer.from(added(6) + GONE + added(7))),
      ...parser.push(Buffer.from(added(8))),
    ];
    expect(textsOf(batches)).toEqual(['ADDED']);
    for (const batch of batches) batch.commit();
    expect(holder.cursors).toEqual([undefined]);
    expect(batches).toMatchObject([{ waitMs: 1000 }]);
    expect(parser.end()).toEqual([]);
  });

  test('may be the end', () => {
    const cursor = { ...WATCH, reset: { ...WATCH.reset, to: 'close' } };
    const { reader } = stream({ framing: 'ndjson' }, cursor);
    expect(() => reader().push(Buffer.from(GONE))).toThrow(
      expect.objectContaining({ code: 'UPSTREAM_LOST' }),
    );
  });
});

describe('an event that says the end', () => {
  const END = { json: { '/closed': true } };
  const FEED = 'data: a\n\nevent: control\ndata: {"next":"7","closed":true}\n\ndata: b\n\n';

  test.each([
    [undefined, ['a', '{"next":"7","closed":true}']],
    ['message', ['a']],
  ])('is the last, with messages from events of %s', (events, texts) => {
    for (const cursor of [undefined, { from: 'item:/next', send: 'query:from' }]) {
      const { holder, reader } = stream({ framing: 'sse', events }, cursor, [undefined], END);
      const batches = reader().push(Buffer.from(FEED));
      expect(textsOf(batches)).toEqual(texts);
      expect(batches.at(-1)).toMatchObject({ messages: [], end: { code: 1000 } });
      for (const batch of batches) batch.commit();
      expect(holder.cursors).toEqual([cursor && '7']);
    }
  });

  test('is none where it says something else', () => {
    const { reader } = stream({ framing: 'ndjson' }, undefined, [undefined], END);
    const batches = reader().push(Buffer.from('{"closed":false}\n{"closed":"true?"}\n[true]\n'));
    expect(batches).toHaveLength(1);
    expect(batches[0]?.end).toBeUndefined();
  });
});

test('retry: is the pause before the next stream, told as soon as it has come', () => {
  for (const cursor of [undefined, { from: 'event:id', send: 'query:id' }]) {
    const reader = stream({ framing: 'sse' }, cursor).reader();
    const batches = reader.push(Buffer.from('retry: 3000\nid: 1\ndata: a\n\n'));
    expect(textsOf(batches)).toEqual(['a']);
    expect(batches.at(-1)).toMatchObject({ messages: [], retryMs: 3000 });
    expect(reader.push(Buffer.from(':\n'))).toEqual([]);
    expect(reader.push(Buffer.from('retry: 5\n'))).toMatchObject([{ retryMs: 5 }]);
    expect(reader.end()).toEqual([]);
  }
});
