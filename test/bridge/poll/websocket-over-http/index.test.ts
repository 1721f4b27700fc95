import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Ending } from '../../../../src/bridge/contract.ts';
import { GatewayError } from '../../../../src/errors.ts';
import {
  answer,
  bodyOf,
  createProfile,
  openSession,
  text,
  textsOf,
} from '../../../support/websocket-over-http.ts';

const invalid = (detail: string) =>
  expect.objectContaining({ code: 'UPSTREAM_INVALID', detail: expect.stringContaining(detail) });

describe('the answer to OPEN', () => {
  test('brings messages, the subprotocol and what the 101 says besides', () => {
    const headers = {
      'content-type': 'Application/WebSocket-Events; charset=utf-8',
      'content-length': '29',
      'keep-alive': 'timeout=5',
      connection: 'keep-alive, x-hop',
      'x-hop': '1',
      'keep-alive-interval': '30',
      'set-meta-user': 'ann',
      'sec-websocket-extensions': 'grip',
      'sec-websocket-protocol': 'v2',
      'set-cookie': ['a=1', 'b=2'],
      'x-powered-by': 'Express',
    };
    const { opening } = openSession('OPEN\r\nTEXT 4\r\nm:hi\r\n', {
      headers,
      request: { protocols: ['v1', 'v2'] },
    });
    expect(opening.protocol).toBe('v2');
    expect(textsOf(opening.messages)).toEqual(['hi']);
    expect(opening.fields).toEqual([
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['x-powered-by', 'Express'],
    ]);
  });

  test('may put the decision off', () => {
    const opened = (interval: string) =>
      createProfile({ minKeepAlive: '3s' }).opened(answer('', { 'keep-alive-interval': interval }));
    expect([opened('1'), opened('5')]).toEqual([{ againMs: 3_000 }, { againMs: 5_000 }]);
    expect(() => opened('0')).toThrow(invalid('not OPEN'));
  });

  test.each([
    ['', {}, 200, 'not OPEN'],
    ['TEXT 1\r\nx\r\nOPEN\r\n', {}, 200, 'not OPEN'],
    ['OPEN\r\nOPEN\r\n', {}, 200, 'opened what is open'],
    ['OPEN\r\nDISCONNECT\r\n', {}, 200, 'without a CLOSE'],
    ['OPEN\r\nTEXT 1\r\n\xff\r\n', {}, 200, 'another length'],
    ['OPEN\r\n', { 'content-type': 'text/html' }, 200, '200 with text/html'],
    ['OPEN\r\n', { 'content-type': undefined }, 200, '200 with nothing'],
    ['OPEN\r\n', {}, 204, 'answered 204'],
    ['OPEN\r\n', { 'sec-websocket-protocol': 'v9' }, 200, 'a subprotocol was chosen that was not offered'],
  ])('is refused if it is wrong: %#', (body, headers, status, detail) => {
    expect(() => createProfile().opened(answer(body, headers, status))).toThrow(invalid(detail));
  });

  test('may end what it begins', () => {
    const { session } = openSession('OPEN\r\nCLOSE 6\r\n\x0f\x28bye!\r\n');
    expect(session.ends).toEqual([{ code: 0x0f28, reason: 'bye!' }]);
  });
});

describe('what the service says', () => {
  test('is messages, and pings that concern nobody', () => {
    const { sent } = openSession();
    const body = Buffer.from(
      'TEXT 3\r\nh\xc3\xa9\r\nBINARY 2\r\n\0\xff\r\nPING\r\nPONG 1\r\nx\r\nTEXT\r\nNEWS 1\r\nx\r\n',
      'latin1',
    );
    expect(sent(answer(body))).toMatchObject({
      messages: [
        { data: Buffer.from('hé'), binary: false },
        { data: Buffer.from([0, 255]), binary: true },
        { data: Buffer.alloc(0), binary: false },
      ],
      end: undefined,
    });
  });

  test.each([
    ['CLOSE 2\r\n\x03\xf3\r\n', { code: 1011, reason: '' }],
    ['CLOSE 5\r\n\x0f\xa1bye\r\nTEXT 1\r\nx\r\n', { code: 4001, reason: 'bye' }],
    ['CLOSE\r\n', { code: 1000, reason: '' }],
    ['CLOSE 0\r\n\r\n', { code: 1000, reason: '' }],
    ['CLOSE 2\r\n\0\0\r\n', { code: 1000, reason: '' }],
    ['CLOSE 2\r\n\x03\xee\r\n', { code: 1000, reason: '' }],
    ['CLOSE 2\r\n\xff\xff\r\n', { code: 1000, reason: '' }],
  ])('ends the session: %j', (body, end) => {
    const batch = openSession().sent(answer(Buffer.from(`TEXT 1\r\na\r\n${body}`, 'latin1')));
    expect([textsOf(batch.messages), batch.end]).toEqual([['a'], end]);
  });

  test.each([
    ['OPEN\r\n', {}, 200],
    ['DISCONNECT\r\n', {}, 200],
    ['TEXT 1\r\n\xff\r\n', {}, 200],
    ['', {}, 204],
    ['', { 'content-type': 'text/plain' }, 200],
    ['', { 'content-bytes-accepted': '6' }, 200],
    ['', { 'set-meta-a': 'x'.repeat(8193) }, 200],
  ])('is refused if it is wrong: %#', (body, headers, status) => {
    const { sends, sent } = openSession();
    sends.send([text('hello')], 1);
    expect(() => sent(answer(Buffer.from(body, 'latin1'), headers, status))).toThrow(
      invalid('websocket-over-http'),
    );
  });
});

describe('what is sent', () => {
  test('is all that waits, in one request', () => {
    const { sends, batch } = openSession();
    const waiting = [
      text('a'),
      { data: Buffer.from([1]), binary: true },
      text(''),
      { data: 'é', binary: false },
    ];
    expect(batch(waiting)).toBe(4);
    expect(sends.send(waiting, 1)?.body).toEqual(
      Buffer.from('TEXT 1\r\na\r\nBINARY 1\r\n\x01\r\nTEXT\r\nTEXT 2\r\né\r\n'),
    );
    expect(bodyOf(sends.send([], 2))).toBe('');
  });

  test.each([
    [['aa', 'bb', 'cc'], 2],
    [['aaaaa', 'bb'], 1],
    [['aaa', 'bb'], 1],
    [['', '', '', '', ''], 3],
  ])('is at most so many messages and bytes at once: %j', (data, count) => {
    const { batch } = openSession(undefined, { poll: { batch: { messages: 3, size: '4B' } } });
    expect(batch(data.map(text))).toBe(count);
  });

  test('holds again what the service has not accepted', () => {
    const { sends, sent, batch, profile } = openSession(undefined, { poll: { batch: { size: '8B' } } });
    sends.send([text('hello'), text(''), text('you')], 1);
    sent(answer('', { 'content-bytes-accepted': '2' }));
    expect(batch([text('a'), text('bb'), text('c')])).toBe(1);
    const next = sends.send([text('a')], 2);
    expect([bodyOf(next), next?.headers['content-bytes-replayed']]).toEqual([
      'TEXT 3\r\nllo\r\nTEXT\r\nTEXT 3\r\nyou\r\nTEXT 1\r\na\r\n',
      '6',
    ]);
    sent(answer('', { 'content-bytes-accepted': '3' }));
    expect(bodyOf(profile.close({ code: 1000, reason: '', by: 'client', clean: true }))).toBe(
      'TEXT 3\r\nyou\r\nTEXT 1\r\na\r\nCLOSE 2\r\n\x03\ufffd\r\n',
    );
    sent(answer(''));
    // Of what is accepted nothing is kept.
    sent(answer('', { 'content-bytes-accepted': '0' }));
    const last = sends.send([], 3);
    expect(bodyOf(last)).toBe('');
    expect(last?.headers).not.toHaveProperty('content-bytes-replayed');
  });

  test('ends the session if the service never accepts it', () => {
    const { sends, sent } = openSession();
    sends.send([text('x'.repeat(1024 * 1024 + 1))], 1);
    expect(() => sent(answer('', { 'content-bytes-accepted': '0' }))).toThrow(invalid('has not accepted'));
  });

  test('brings back what the service keeps with the gateway', () => {
    const { sends, sent } = openSession(undefined, {
      headers: { 'set-meta-user': 'ann', 'set-meta-room': 'blue' },
    });
    expect(sends.send([], 1)?.headers).toMatchObject({ 'meta-user': 'ann', 'meta-room': 'blue' });
    sent(answer('', { 'set-meta-user': '', 'set-meta-room': 'red' }));
    const { headers } = sends.send([], 2) ?? {};
    expect(headers).toMatchObject({ 'meta-room': 'red' });
    expect(headers).not.toHaveProperty('meta-user');
  });
});

describe('Keep-Alive-Interval', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
  afterEach(() => void vi.useRealTimers());

  test('has the service asked again after that time without a request', () => {
    const { session, sends, sent } = openSession(undefined, { headers: { 'keep-alive-interval': '5' } });
    vi.advanceTimersByTime(4_999);
    sends.send([text('a')], 1);
    vi.advanceTimersByTime(60_000);
    sent(answer(''));
    vi.advanceTimersByTime(4_999);
    expect(session.nudges).toBe(0);
    vi.advanceTimersByTime(1);
    expect(session.nudges).toBe(1);
  });

  test.each(['0', 'x', '-1'])('%s turns it off', (value) => {
    const { session, sent } = openSession(undefined, { headers: { 'keep-alive-interval': '5' } });
    sent(answer('', { 'keep-alive-interval': value }));
    vi.advanceTimersByTime(60_000);
    expect(session.nudges).toBe(0);
  });

  test('is not honoured below minKeepAlive, nor after the end', () => {
    const { session, profile, sent } = openSession(undefined, {
      headers: { 'keep-alive-interval': '1' },
      poll: { minKeepAlive: '3s' },
    });
    vi.advanceTimersByTime(2_999);
    expect(session.nudges).toBe(0);
    vi.advanceTimersByTime(1);
    expect(session.nudges).toBe(1);
    sent(answer(''));
    expect(vi.getTimerCount()).toBe(1);
    profile.finish?.();
    expect(vi.getTimerCount()).toBe(0);
    sent(answer('', { 'keep-alive-interval': '5' }));
    expect(vi.getTimerCount()).toBe(0);
  });

  test('means nothing before the session is open', () => {
    createProfile().opened(answer('OPEN\r\n', { 'keep-alive-interval': '5' }));
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('the end is told', () => {
  const lost = new GatewayError('UPSTREAM_LOST');
  const expired = new GatewayError('TOKEN_EXPIRED');
  const close = (code: number, reason = '') =>
    Buffer.concat([
      Buffer.from(`CLOSE ${(2 + reason.length).toString(16)}\r\n`),
      Buffer.from([code >> 8, code & 255]),
      Buffer.from(`${reason}\r\n`),
    ]).toString();

  test.each<[string, Ending | undefined, object, string]>([
    [
      'as the client said it',
      { code: 4001, reason: 'bye', by: 'client', clean: true },
      {},
      close(4001, 'bye'),
    ],
    [
      'without a reason',
      { code: 4001, reason: 'bye', by: 'client', clean: true },
      { closeReason: false },
      close(4001),
    ],
    ['without a code', { code: 1005, reason: '', by: 'client', clean: true }, {}, 'CLOSE\r\n'],
    [
      'back to the service',
      { code: 1000, reason: 'done', by: 'upstream', clean: true },
      {},
      close(1000, 'done'),
    ],
    [
      'by the gateway',
      { code: expired.close, reason: expired.message, by: 'gateway', clean: false, error: expired },
      {},
      close(expired.close, expired.message),
    ],
    [
      'of a client that is lost',
      { code: 1006, reason: '', by: 'client', clean: false },
      {},
      'DISCONNECT\r\n',
    ],
    [
      'in a word that js-grip bears',
      { code: 1006, reason: '', by: 'client', clean: false },
      { disconnectEvent: false },
      'CLOSE\r\n',
    ],
    [
      'of a service that failed',
      { code: 1014, reason: '', by: 'upstream', clean: false, error: lost },
      {},
      'DISCONNECT\r\n',
    ],
    ['of a client that left before the 101', undefined, {}, 'DISCONNECT\r\n'],
  ])('%s', (_, ending, poll, body) => {
    expect(bodyOf(openSession(undefined, { poll }).profile.close(ending))).toBe(body);
  });
});
