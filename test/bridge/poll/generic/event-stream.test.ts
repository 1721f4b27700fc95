import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EventStreamParser } from '../../../../src/bridge/poll/generic/event-stream.ts';
import { inPieces, pieces } from '../../../support/pieces.ts';

function eventsOf(text: string | Buffer, limit = 1000) {
  return new EventStreamParser(limit).push(Buffer.from(text));
}

function datas(text: string): (string | undefined)[] {
  return eventsOf(text).map(({ data }) => data);
}

describe('an event stream, as the standard has it', () => {
  // The examples of WHATWG HTML §9.2.6.
  test.each([
    ['two lines of data', 'data: YHOO\ndata: +2\ndata: 10\n\n', ['YHOO\n+2\n10']],
    [
      'comments, ids and the id that is taken back',
      ': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n',
      ['first event', 'second event', ' third event'],
    ],
    ['empty data, and the end amid an event', 'data\n\ndata\ndata\n\ndata:', ['', '\n']],
    ['a space or none', 'data:test\n\ndata: test\n\n', ['test', 'test']],
    ['lines that end with CR', 'data: a\rdata: b\r\r', ['a\nb']],
    ['lines that end with CR LF', 'data: a\r\ndata: b\r\n\r\n', ['a\nb']],
    ['a byte order mark', '\ufeffdata: a\n\n', ['a']],
    ['a byte order mark that comes too late', 'data: a\n\n\ufeffdata: b\n\n', ['a']],
    ['fields that nobody knows', 'datum: x\nDATA: y\ndata: a\n\n', ['a']],
    ['colons in the data', 'data: a: b:\n\n', ['a: b:']],
  ])('%s', (_, text, expected) => {
    expect(datas(text)).toEqual(expected);
  });

  test('an id lasts until there is another, also without data', () => {
    const found = eventsOf('id: 1\ndata: a\n\ndata: b\n\nid: 2\n\nid: 2\n\ndata: c\n\nid\ndata: d\n\n');
    expect(found.map(({ id, data }) => [id, data])).toEqual([
      ['1', 'a'],
      ['1', 'b'],
      ['2', undefined],
      ['2', 'c'],
      ['', 'd'],
    ]);
  });

  test('an id with a NUL is none', () => {
    expect(eventsOf('id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n').map(({ id }) => id)).toEqual(['1', '1']);
  });

  test('the type is that of its event alone', () => {
    const found = eventsOf('event: add\ndata: a\n\ndata: b\n\nevent: x\n\ndata: c\n\n');
    expect(found.map(({ event }) => event)).toEqual(['add', 'message', 'message']);
  });

  test.each([
    ['retry: 1500\n', 1500],
    ['retry: 15s\n', undefined],
    ['retry\n', undefined],
    ['retry: 99999999999999\n', undefined],
  ])('%j asks for a pause of %s', (text, expected) => {
    const parser = new EventStreamParser(100);
    parser.push(Buffer.from(text));
    expect(parser.retryMs).toBe(expected);
  });
});

test('wherever it is cut, a stream is the same events', () => {
  const token = fc.constantFrom(
    'data',
    'id',
    'event',
    ':',
    ' ',
    'é',
    '😀',
    '\n',
    '\n',
    '\r',
    '\r\n',
    '\ufeff',
    'x',
  );
  const text = fc.array(token, { maxLength: 60 }).map((tokens) => tokens.join(''));
  fc.assert(
    fc.property(text, pieces(), (stream, cuts) => {
      const parser = new EventStreamParser(1000);
      const found = inPieces(Buffer.from(stream), cuts, (piece) => parser.push(piece));
      expect(found).toEqual(eventsOf(stream));
    }),
  );
});

test.each([
  ['a line', `data: ${'x'.repeat(100)}`],
  ['lines of data', 'data: xxxxxxxxxx\n'.repeat(10)],
  ['a comment', `:${'x'.repeat(100)}`],
])('is refused where an event is too large: %s', (_, text) => {
  expect(() => eventsOf(text, 100)).toThrow(expect.objectContaining({ code: 'UPSTREAM_INVALID' }));
});

test('has room for as many events as come', () => {
  expect(eventsOf('data: xxxxxxxxxx\n\n:\n'.repeat(100), 20)).toHaveLength(100);
});

test('is refused if it is not UTF-8', () => {
  const bytes = Buffer.concat([Buffer.from('data: '), Buffer.from([0xff]), Buffer.from('\n\n')]);
  expect(() => eventsOf(bytes)).toThrow(expect.objectContaining({ code: 'UPSTREAM_INVALID' }));
});
