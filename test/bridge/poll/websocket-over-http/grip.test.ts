import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { answer, bodyOf, openSession, text, textsOf } from '../../../support/websocket-over-http.ts';

const event = (data: string, type = 'TEXT') =>
  `${type} ${Buffer.byteLength(data).toString(16)}\r\n${data}\r\n`;
const control = (message: object) => event(`c:${JSON.stringify(message)}`);
const opened = (events = '', extensions = 'grip') =>
  openSession(`OPEN\r\n${events}`, { headers: { 'sec-websocket-extensions': extensions } });
const published = (data: string, meta?: Record<string, string>) =>
  ({ kind: 'message', message: text(data), meta }) as const;

describe('messages', () => {
  test.each([
    ['grip', 'm:'],
    ['permessage-deflate, grip; message-prefix="x y"', 'x y'],
    ['GRIP; message-prefix=data-', 'data-'],
    ['grip; message-prefix=""', ''],
  ])('lose the prefix that %s asks for', (extensions, prefix) => {
    const { sent } = opened('', extensions);
    const body = event(`${prefix}hello`) + event(`${prefix}\0`, 'BINARY') + event(`${prefix}`);
    expect(sent(answer(body)).messages.map(({ data, binary }) => [data.toString(), binary])).toEqual([
      ['hello', false],
      ['\0', true],
      ['', false],
    ]);
  });

  test('without the prefix are not for the client', () => {
    const body = event('hello') + event('m') + event('c:') + event('c:{') + event('c:null') + event('m:x');
    expect(textsOf(opened().sent(answer(body)).messages)).toEqual(['x']);
  });

  test('are what they are where the service has not taken GRIP up', () => {
    const { sent, session } = openSession();
    const body = event('c:{"type":"subscribe","channel":"a"}') + event('m:x');
    expect(textsOf(sent(answer(body)).messages)).toEqual(['c:{"type":"subscribe","channel":"a"}', 'm:x']);
    expect(session.listening).toEqual([]);
  });

  test('that are binary control nothing', () => {
    const { sent, session } = opened();
    sent(answer(event('c:{"type":"subscribe","channel":"a"}', 'BINARY')));
    expect(session.listening).toEqual([]);
  });
});

describe('a filter that is not known', () => {
  const subscribe = (name: string) =>
    control({ type: 'subscribe', channel: 'a', filters: ['skip-self', name] });
  const invalid = (name: string) =>
    expect.objectContaining({
      code: 'UPSTREAM_INVALID',
      detail: `websocket-over-http: it asks for the filter "${name}"; there are skip-self, skip-users, require-sub`,
    });

  test.each(['var-subst', 'build-id', 'toString'])('%s ends the session, or refuses it', (name) => {
    const { sent, session } = opened();
    expect(() => sent(answer(subscribe(name)))).toThrow(invalid(name));
    expect(session.listening).toEqual([]);
    expect(() => opened(subscribe(name))).toThrow(invalid(name));
  });
});

describe('channels', () => {
  test('are joined and left, also with the OPEN', async () => {
    const { sent, session } = opened(control({ type: 'subscribe', channel: 'a' }));
    sent(answer(control({ type: 'subscribe', channel: 'b' })));
    expect(session.listening).toEqual(['a', 'b']);
    expect(await session.publish('b', published('news'))).toBe(true);
    sent(
      answer(control({ type: 'unsubscribe', channel: 'b' }) + control({ type: 'unsubscribe', channel: 'x' })),
    );
    expect([session.listening, session.delivered]).toEqual([['a'], ['news']]);
  });

  test('bring messages as they are, ends, and the wish to be asked', async () => {
    const { session } = opened(control({ type: 'subscribe', channel: 'a' }));
    await session.publish('a', published('no prefix'));
    expect(await session.publish('a', { kind: 'refresh' })).toBe(true);
    expect(await session.publish('a', { kind: 'end', end: { code: 4000, reason: 'over' } })).toBe(true);
    expect(session).toMatchObject({
      delivered: ['no prefix'],
      nudges: 1,
      ends: [{ code: 4000, reason: 'over' }],
    });
  });

  test('are left at the end', () => {
    const { session, profile } = opened(control({ type: 'subscribe', channel: 'a' }));
    profile.finish?.();
    expect(session.listening).toEqual([]);
  });

  test('joined twice are joined once, with the last filters', async () => {
    const filters = ['skip-self', 'require-sub'];
    const { session, sent } = opened(control({ type: 'subscribe', channel: 'a', filters }));
    sent(answer(control({ type: 'set-meta', name: 'user', value: 'ann' })));
    expect(await session.publish('a', published('own', { sender: 'ann' }))).toBe(false);
    expect(await session.publish('a', published('other', { sender: 'bob' }))).toBe(true);
    expect(await session.publish('a', published('nobody’s'))).toBe(true);
    sent(answer(control({ type: 'subscribe', channel: 'a' })));
    expect(await session.publish('a', published('own again', { sender: 'ann' }))).toBe(true);
    sent(
      answer(
        control({ type: 'subscribe', channel: 'a', filters }) + control({ type: 'set-meta', name: 'user' }),
      ),
    );
    expect(await session.publish('a', published('anonymous', { sender: 'ann' }))).toBe(true);
    expect(session.listening).toEqual(['a']);
  });

  test.each<[string, Record<string, string>, boolean]>([
    ['skip-users', { skip_users: 'bob, ann' }, false],
    ['skip-users', { skip_users: 'bob,anna' }, true],
    ['skip-users', {}, true],
    ['require-sub', { require_sub: 'a' }, true],
    ['require-sub', { require_sub: 'b' }, false],
    ['require-sub', {}, true],
  ])('with the filter %s bring what is published with %j: %s', async (filter, meta, reaches) => {
    const { session } = opened(
      control({ type: 'set-meta', name: 'user', value: 'ann' }) +
        control({ type: 'subscribe', channel: 'a', filters: [filter] }),
    );
    expect(await session.publish('a', published('x', meta))).toBe(reaches);
  });

  test('are at most a thousand', () => {
    const { sent, session } = opened();
    const join = (index: number) => control({ type: 'subscribe', channel: `c${index}` });
    sent(answer(Array.from({ length: 1_000 }, (_, index) => join(index)).join('')));
    sent(answer(join(999)));
    expect(session.listening).toHaveLength(1_000);
    expect(() => sent(answer(join(1_000)))).toThrow(
      expect.objectContaining({
        code: 'UPSTREAM_INVALID',
        detail: 'a session listens to at most 1000 channels',
      }),
    );
  });

  test.each([
    [{ type: 'subscribe' }],
    [{ type: 'subscribe', channel: '' }],
    [{ type: 'subscribe', channel: 1 }],
    [{ type: 'subscribe', channel: 'a', filters: 'skip-self' }],
    [{ type: 'session', id: 's' }],
    [['subscribe']],
  ])('are not joined by %j', (message) => {
    expect(opened(control(message)).session.listening).toEqual([]);
  });
});

describe('detach', () => {
  test('leaves the session to its channels: the service hears nothing more', async () => {
    const { session, sends, sent, profile } = opened(control({ type: 'subscribe', channel: 'a' }));
    sends.send([text('last')], 1);
    sent(answer(control({ type: 'detach' }) + event('m:bye'), { 'keep-alive-interval': '1' }));
    expect(sends.send([text('more')], 2)).toBeUndefined();
    expect(profile.close({ code: 1000, reason: '', by: 'client', clean: true })).toBeUndefined();
    expect(await session.publish('a', published('news'))).toBe(true);
    await session.publish('a', { kind: 'refresh' });
    expect(session).toMatchObject({ delivered: ['news'], nudges: 0 });
  });

  test('with the OPEN works as well', () => {
    const { profile } = opened(control({ type: 'detach' }));
    expect(bodyOf(profile.close())).toBeUndefined();
  });
});

describe('keep-alive', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
  afterEach(() => void vi.useRealTimers());
  const beat = (rest: object) => control({ type: 'keep-alive', ...rest });

  test('is sent where nothing else was for that long', async () => {
    const { session, sent } = opened(
      beat({ content: 'beat', timeout: 10 }) + control({ type: 'subscribe', channel: 'a' }),
    );
    vi.advanceTimersByTime(9_000);
    sent(answer(event('m:x')));
    vi.advanceTimersByTime(9_000);
    await session.publish('a', published('news'));
    vi.advanceTimersByTime(9_999);
    expect(session.delivered).toEqual(['news']);
    vi.advanceTimersByTime(1);
    vi.advanceTimersByTime(10_000);
    expect(session.delivered).toEqual(['news', 'beat', 'beat']);
  });

  test('is sent in intervals, whatever else is sent', () => {
    const { session, sent } = opened(beat({ content: 'beat', timeout: 10, mode: 'interval' }));
    vi.advanceTimersByTime(9_000);
    sent(answer(event('m:x')));
    vi.advanceTimersByTime(11_000);
    expect(session.delivered).toEqual(['beat', 'beat']);
  });

  test('is sent once a second at most', () => {
    const { session } = opened(beat({ content: 'beat', timeout: 0.001, mode: 'interval' }));
    vi.advanceTimersByTime(2_500);
    expect(session.delivered).toEqual(['beat', 'beat']);
  });

  test('is sent every 55 s unless it says when, and until it is empty', () => {
    const { session, sent } = opened(beat({ 'content-bin': Buffer.from('a\0').toString('base64') }));
    vi.advanceTimersByTime(55_000);
    expect(session.delivered).toEqual(['a\0']);
    sent(answer(beat({})));
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(100_000);
    expect(session.delivered).toHaveLength(1);
  });

  test.each([
    [{ content: 'x', 'message-type': 'ping' }],
    [{ content: 'x', 'message-type': 'other' }],
    [{ content: 1 }],
    [{ 'content-bin': '!' }],
    [{ 'content-bin': '/w==' }],
  ])('is nothing in %j', (rest) => {
    const { session } = opened(beat(rest));
    vi.advanceTimersByTime(100_000);
    expect(session.delivered).toEqual([]);
  });

  test('ends with the session', () => {
    const { profile, sent } = opened(beat({ content: 'beat' }));
    expect(vi.getTimerCount()).toBe(1);
    profile.finish?.();
    expect(vi.getTimerCount()).toBe(0);
    sent(answer(event('m:x') + beat({ content: 'beat' }) + control({ type: 'subscribe', channel: 'a' })));
    expect(vi.getTimerCount()).toBe(0);
  });
});
