import { describe, expect, test } from 'vitest';
import { answer, bytes, pollsOf, profileOf, said, sendsOf } from '../../../support/codec.ts';

const ENGINE_IO = { profile: 'engine.io' };
const QUERY = 'EIO=4&transport=websocket';
const OPEN = {
  sid: 's/1',
  upgrades: ['websocket'],
  pingInterval: 25_000,
  pingTimeout: 20_000,
  maxPayload: 20,
};

/** A session whose service has said `open` over the usual. */
function opened(open: object = {}, query = QUERY) {
  const profile = profileOf(ENGINE_IO, { query });
  const opening = profile.opened(answer(`0${JSON.stringify({ ...OPEN, ...open })}`));
  return { profile, opening, polls: pollsOf(profile), sends: sendsOf(profile) };
}

const read = (body: string) => opened().polls.polled(answer(body));

describe('the handshake', () => {
  test('asks for a session by polling, with what the client asked for beside', () => {
    const profile = profileOf(ENGINE_IO, { query: `user=%C3%A4&${QUERY}&j=0&b64=1&token=x` });
    expect(profile.open()).toEqual({
      method: 'GET',
      path: '/socket.io/?user=%C3%A4&token=x&EIO=4&transport=polling',
      headers: {},
    });
  });

  test('goes where the configuration says', () => {
    const profile = profileOf({ ...ENGINE_IO, path: '/io' }, { query: QUERY });
    expect(profile.open()?.path).toBe('/io?EIO=4&transport=polling');
  });

  test.each([
    ['EIO=3&transport=websocket', 'in version 4 only'],
    ['transport=websocket', 'in version 4 only'],
    [undefined, 'in version 4 only'],
    ['EIO=4&transport=polling', 'over WebSocket only'],
    ['EIO=4', 'over WebSocket only'],
    ['EIO=4&transport=websocket&sid=theirs', 'no sid may be named'],
    ['EIO=4&transport=websocket&%73id=theirs', 'no sid may be named'],
  ])('refuses %s with a sentence', (query, sentence) => {
    const profile = profileOf(ENGINE_IO, { query });
    expect(() => profile.open()).toThrow(
      expect.objectContaining({ status: 400, message: expect.stringContaining(sentence) }),
    );
  });

  test('tells the client of no transport but its own, and of all else as it came', () => {
    const { opening } = opened({ own: [1.5] });
    const [first] = opening.messages ?? [];
    expect(first).toMatchObject({ binary: false });
    expect(String(first?.data)).toBe(`0${JSON.stringify({ ...OPEN, upgrades: [], own: [1.5] })}`);
  });

  test('takes what comes with the first packet along', () => {
    const profile = profileOf(ENGINE_IO, { query: QUERY });
    const { messages } = profile.opened(answer(`0${JSON.stringify(OPEN)}\x1e4hello`));
    expect(messages?.[1]).toEqual({ data: '4hello', binary: false });
  });

  test.each([
    ['', 'without a sid'],
    ['4hello', 'without a sid'],
    ['0{"sid":', 'not JSON'],
    ['0null', 'without a sid'],
    ['0{"sid":1}', 'without a sid'],
    ['0{"sid":"\\ud800","pingInterval":1,"pingTimeout":1}', 'a sid that is no text'],
    ['0{"sid":"s"}', 'without a good pingInterval'],
    ['0{"sid":"s","pingInterval":1,"pingTimeout":-1}', 'without a good pingTimeout'],
    ['0{"sid":"s","pingInterval":1,"pingTimeout":1,"maxPayload":"9"}', 'without a good maxPayload'],
    ['0{"sid":"s","pingInterval":1,"pingTimeout":1}\x1e1', 'ends as it begins'],
  ])('does not believe the answer %j', (body, detail) => {
    const profile = profileOf(ENGINE_IO, { query: QUERY });
    expect(() => profile.opened(answer(body))).toThrow(
      expect.objectContaining({ code: 'UPSTREAM_INVALID', detail: expect.stringContaining(detail) }),
    );
  });
});

describe('a poll', () => {
  test('names the session', () => {
    const { polls } = opened({}, `a=1&${QUERY}`);
    expect(polls.poll()).toEqual({
      method: 'GET',
      path: '/socket.io/?a=1&EIO=4&transport=polling&sid=s%2F1',
      headers: {},
    });
  });

  test('is held from one ping to the next, and not repeated', () => {
    expect(opened().polls).toMatchObject({ holdMs: 25_000, marginMs: 20_000, repeats: false });
    expect(opened({ pingInterval: 1e12 }).polls).toMatchObject({ holdMs: 3_600_000 });
  });

  test('brings packets, each as a message', () => {
    expect(read('4hellö\x1e2\x1ebAP8=\x1e40{"sid":"x"}').messages).toEqual([
      { data: '4hellö', binary: false },
      { data: '2', binary: false },
      { data: Buffer.from([0, 255]), binary: true },
      { data: '40{"sid":"x"}', binary: false },
    ]);
  });

  test('that was ended for nothing brings nothing', () => {
    expect(read('6')).toMatchObject({ messages: [], end: undefined });
  });

  test('brings the end, and nothing behind it', () => {
    expect(read('4bye\x1e1\x1e4late')).toMatchObject({
      messages: [{ data: '4bye' }],
      end: { code: 1000, reason: '' },
    });
  });

  test.each(['', '0{}', '3', '5', 'x', '4a\x1e', 'b%%%%'])('may not bring %j', (body) => {
    expect(() => read(body)).toThrow(expect.objectContaining({ code: 'UPSTREAM_INVALID' }));
  });

  test('may not bring what is not UTF-8', () => {
    const { polls } = opened();
    expect(() => polls.polled(answer(Buffer.from([0x34, 0xff])))).toThrow(
      expect.objectContaining({ code: 'UPSTREAM_INVALID' }),
    );
  });
});

describe('a post', () => {
  test('carries messages with separators between them', () => {
    const { sends } = opened();
    expect(sends.send([said('4hellö'), bytes(0, 255), said('3')], 1)).toEqual({
      method: 'POST',
      path: '/socket.io/?EIO=4&transport=polling&sid=s%2F1',
      headers: { 'content-type': 'text/plain;charset=UTF-8' },
      body: Buffer.from('4hellö\x1ebAP8=\x1e3'),
    });
  });

  test.each([
    ['42["x",1]\x1e1', 'U+001E'],
    ['', 'no packet'],
    ['bAAAA', 'no packet'],
    ['2probe', 'no packet'],
    ['0{}', 'no packet'],
  ])('never carries the text %j', (text, sentence) => {
    const { sends } = opened();
    expect(() => sends.send([said('4good'), said(text)], 1)).toThrow(
      expect.objectContaining({ close: 1007, message: expect.stringContaining(sentence) }),
    );
  });

  test('is filled to what the service takes', () => {
    const { sends } = opened({ maxPayload: 20 });
    const count = (...texts: string[]) => sends.batch?.(texts.map(said));
    expect(count('4'.repeat(9), '4'.repeat(9))).toBe(2);
    expect(count('4'.repeat(9), '4'.repeat(10))).toBe(1);
    expect(sends.batch?.([bytes(...Array(12).fill(0)), said('4')])).toBe(2);
    expect(sends.batch?.([bytes(...Array(12).fill(0)), said('44')])).toBe(1);
  });

  test('has no more packets than every service takes', () => {
    expect(opened({ maxPayload: 1e6 }).sends.batch?.(Array(40).fill(said('4')))).toBe(16);
  });

  test('leaves a message that is too large, or no packet, to a post of its own', () => {
    const { sends } = opened({ maxPayload: 20 });
    expect(sends.batch?.([said('4'.repeat(99)), said('4')])).toBe(1);
    expect(sends.batch?.([said('4'), said('4\x1e1'), said('4')])).toBe(1);
  });
});

test('the service is told of the end of a session that it has begun', () => {
  expect(profileOf(ENGINE_IO, { query: QUERY }).close()).toBeUndefined();
  expect(opened().profile.close()).toMatchObject({ method: 'POST', body: '1' });
});

describe('an answer that costs more than it has bytes', () => {
  const MANY = 65_537;

  test('is one of too many packets', () => {
    expect(
      read(
        Array(MANY - 1)
          .fill('6')
          .join('\x1e'),
      ).messages,
    ).toEqual([]);
    expect(() => read(Array(MANY).fill('6').join('\x1e'))).toThrow(
      expect.objectContaining({ code: 'UPSTREAM_INVALID' }),
    );
  });

  test('is one that is nested too deeply', () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    const open = JSON.stringify(OPEN).replace('}', `,"deep":${deep}}`);
    expect(() => profileOf(ENGINE_IO, { query: QUERY }).opened(answer(`0${open}`))).toThrow(
      expect.objectContaining({ code: 'UPSTREAM_INVALID' }),
    );
  });
});
