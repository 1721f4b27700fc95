import { describe, expect, test } from 'vitest';
import { Backoff, systemClock } from '../../../../src/bridge/poll/backoff.ts';
import { answer, bytes, pollsOf, profileOf, said, sendsOf } from '../../../support/codec.ts';

const SOCKJS = { profile: 'sockjs', path: '/echo' };
const FRAMED = '/echo/042/abc-def/websocket';
const BARE = '/echo/websocket';

const at = (path: string, query?: string) => profileOf(SOCKJS, { path, query });
const read = (path: string, body: string) => pollsOf(at(path)).polled(answer(body));

describe('a session', () => {
  test('is opened under a name of our own, by the server the client chose', () => {
    const profile = at(FRAMED, 'a=1');
    expect(profile.open()).toMatchObject({ method: 'POST', headers: {} });
    const path = profile.open()?.path ?? '';
    expect(path).toMatch(/^\/echo\/042\/[0-9a-f]{32}\/xhr\?a=1$/);
    expect(at(FRAMED, 'a=1').open()?.path).not.toBe(path);
    expect(pollsOf(profile).poll().path).toBe(path);
    expect(sendsOf(profile).send([said('["x"]')], 1)?.path).toBe(path.replace('/xhr', '/xhr_send'));
  });

  test('goes where the configuration says', () => {
    const profile = profileOf({ ...SOCKJS, path: '/a/b/' }, { path: BARE });
    expect(profile.open()?.path).toMatch(/^\/a\/b\/000\/[0-9a-f]{32}\/xhr$/);
  });

  test.each(['/echo/042/abc/xhr', '/echo', '/echo/042/abc/websocket/'])('does not begin at %s', (path) => {
    expect(() => at(path).open()).toThrow(
      expect.objectContaining({ status: 400, message: expect.stringContaining('WebSocket transport') }),
    );
  });

  test('is told open to those who speak frames only', () => {
    expect(at(FRAMED).opened(answer('o\n')).messages).toEqual([{ data: 'o', binary: false }]);
    expect(at(BARE).opened(answer('o\n')).messages).toEqual([]);
  });

  test.each(['', 'h\n', 'a["x"]\n', 'c[2010,"Another connection still open"]\n', 'o\na["x"]\n'])(
    'does not begin with %j',
    (body) => {
      expect(() => at(FRAMED).opened(answer(body))).toThrow(
        expect.objectContaining({ code: 'UPSTREAM_INVALID' }),
      );
    },
  );

  test('ends with its poll: the service is told nothing else', () => {
    expect(at(FRAMED).close()).toBeUndefined();
  });
});

describe('a poll', () => {
  test('lasts as long as a heartbeat may, is followed while the session lives, and not repeated', () => {
    const profile = profileOf({ ...SOCKJS, heartbeat: '10s', margin: '2s' }, { path: BARE });
    const { holdMs, marginMs, repeats } = pollsOf(profile);
    expect(holdMs + marginMs).toBe(12_000);
    expect(new Backoff({ holdMs, clock: { ...systemClock, random: () => 1 } }).idle(0)).toBeLessThan(5_000);
    expect(new Backoff({ holdMs }).idle(2_000)).toBe(0);
    expect(repeats).toBe(false);
  });

  test.each(['h', 'a["one","zwö\\n"]', 'a[]'])('brings the frame %j as it is', (frame) => {
    expect(read(FRAMED, `${frame}\n`)).toMatchObject({ messages: [{ data: frame, binary: false }] });
  });

  test('brings texts to a bare WebSocket', () => {
    expect(read(BARE, 'a["one","zwö\\n",""]\n').messages.map(({ data }) => data)).toEqual([
      'one',
      'zwö\n',
      '',
    ]);
    expect(read(BARE, 'h\n').messages).toEqual([]);
  });

  test('brings the end', () => {
    expect(read(FRAMED, 'c[3000,"Go away!"]\n')).toMatchObject({
      messages: [{ data: 'c[3000,"Go away!"]' }],
      end: { code: 1000, reason: 'Normal closure' },
    });
    expect(read(BARE, 'a["bye"]\nc[3000,"Go away!"]\na["late"]\n')).toMatchObject({
      messages: [{ data: 'bye' }],
      end: { code: 3000, reason: 'Go away!' },
    });
  });

  test('that begins another session loses this one', () => {
    expect(() => read(FRAMED, 'o\n')).toThrow(expect.objectContaining({ code: 'UPSTREAM_LOST' }));
  });

  test.each([
    [FRAMED, 'x'],
    [FRAMED, '<html>'],
    [BARE, 'a'],
    [BARE, 'a{}'],
    [BARE, 'a[1]'],
    [BARE, 'c[1006,"x"]'],
    [BARE, 'c[1000]'],
    [BARE, 'c[1e400,"x"]'],
    [BARE, 'c[{"valueOf":1,"toString":1},"x"]'],
    [BARE, 'c["x","y"]'],
    [BARE, 'c'],
  ])('at %s may not bring %j', (path, body) => {
    expect(() => read(path, body)).toThrow(expect.objectContaining({ code: 'UPSTREAM_INVALID' }));
  });
});

describe('an xhr_send', () => {
  const bodyOf = (path: string, ...texts: string[]) => sendsOf(at(path)).send(texts.map(said), 1)?.body;

  test('carries the texts of frames in one array', () => {
    expect(bodyOf(FRAMED, '["a"]', ' [ "b\\n" , "c]" ] ', '[]', '', '"d"')).toBe('["a","b\\n" , "c]","d"]');
    expect(bodyOf(FRAMED, '')).toBe('[]');
  });

  test('carries what a bare WebSocket says', () => {
    expect(bodyOf(BARE, 'a"', '["b"]', '')).toBe('["a\\"","[\\"b\\"]",""]');
  });

  test('has a type that services take', () => {
    expect(sendsOf(at(FRAMED)).send([said('["x"]')], 1)).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'text/plain;charset=UTF-8' },
    });
  });

  test.each(['x', '{}', '["a"', '[1]', '["a"],["b"]', '1'])('never carries the frame %j', (text) => {
    expect(() => bodyOf(FRAMED, text)).toThrow(expect.objectContaining({ close: 1007 }));
  });

  test('never carries octets', () => {
    for (const path of [FRAMED, BARE])
      expect(() => sendsOf(at(path)).send([bytes(1)], 1)).toThrow(
        expect.objectContaining({ code: 'UNSUPPORTED_DATA' }),
      );
  });

  test('grows to 64 KiB', () => {
    const large = said(`["${'x'.repeat(40_000)}"]`);
    expect(sendsOf(at(FRAMED)).batch?.([large, said('["a"]'), large])).toBe(2);
  });
});

test('a frame holds 65536 messages at most', () => {
  const frame = (count: number) => `a[${Array(count).fill('"x"')}]\n`;
  expect(read(BARE, frame(65_536)).messages).toHaveLength(65_536);
  expect(() => read(BARE, frame(65_537))).toThrow(expect.objectContaining({ code: 'UPSTREAM_INVALID' }));
});
