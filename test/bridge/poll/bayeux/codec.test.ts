import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import type { Ending } from '../../../../src/bridge/contract.ts';
import type { Profile } from '../../../../src/bridge/poll/profile.ts';
import { answer, bytes, profileOf, said, sendsOf } from '../../../support/codec.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

const BAYEUX = { profile: 'bayeux', path: '/faye' };
const CONNECT = { channel: '/meta/connect', clientId: 'c1', connectionType: 'websocket', id: '2' };
const LEFT = { code: 1006, reason: '', by: 'client', clean: false } satisfies Ending;

const frame = (...messages: object[]) => said(JSON.stringify(messages));
const sent = (profile: Profile, ...messages: object[]) =>
  JSON.parse(String(sendsOf(profile).send([frame(...messages)], 1)?.body));
const answered = (profile: Profile, ...messages: object[]) =>
  sendsOf(profile)
    .sent?.(answer(JSON.stringify(messages)))
    .messages.map(({ data }) => JSON.parse(String(data)));

test('a session begins without a request, and nothing is polled for it', () => {
  const profile = profileOf(BAYEUX);
  expect(profile.open()).toBeUndefined();
  expect(profile.receives).toBeUndefined();
});

describe('a request', () => {
  test('goes where the configuration says, with the query of the client', () => {
    const { send } = sendsOf(profileOf(BAYEUX, { query: 'a=1' }));
    expect(send([said('[]')], 1)).toEqual({
      method: 'POST',
      path: '/faye?a=1',
      headers: { 'content-type': 'application/json;charset=UTF-8' },
      body: '[]',
    });
  });

  test('carries several frames, be they arrays or not', () => {
    const { send } = sendsOf(profileOf(BAYEUX));
    const frames = ['[{"channel":"/a","data":1}]', '{"channel":"/b","data":12345678901234567890}', '[]'];
    expect(send(frames.map(said), 1)?.body).toBe(
      '[{"channel":"/a","data":1},{"channel":"/b","data":12345678901234567890}]',
    );
  });

  test('says what is true of its transport', () => {
    const profile = profileOf(BAYEUX);
    const handshake = { channel: '/meta/handshake', supportedConnectionTypes: ['websocket'], version: '1.0' };
    expect(sent(profile, handshake, CONNECT)).toEqual([
      { ...handshake, supportedConnectionTypes: ['long-polling'] },
      { ...CONNECT, connectionType: 'long-polling' },
    ]);
  });

  test('that may hang has a lane of its own', () => {
    const { lane } = sendsOf(profileOf(BAYEUX));
    const escaped = said('[{"channel":"\\/meta\\/connect"}]');
    expect([frame(CONNECT), frame({ channel: '/a' }, CONNECT), escaped].map((one) => lane?.(one))).toEqual(
      Array(3).fill('connect'),
    );
    const others = [frame({ channel: '/a', data: '/meta/connect' }), said('x'), bytes(1)];
    expect(others.map((one) => lane?.(one))).toEqual(Array(3).fill('rest'));
  });

  test('grows to 64 KiB', () => {
    const large = frame({ channel: '/a', data: 'x'.repeat(40_000) });
    expect(sendsOf(profileOf(BAYEUX)).batch?.([large, frame(CONNECT), large])).toBe(2);
  });

  test.each(['x', '[1]', '[[]]', 'null', '"a"'])('never carries %j', (text) => {
    const { send } = sendsOf(profileOf(BAYEUX));
    expect(() => send([said(text)], 1)).toThrow(expect.objectContaining({ close: 1007 }));
  });

  test('never carries octets', () => {
    const { send } = sendsOf(profileOf(BAYEUX));
    expect(() => send([bytes(1)], 1)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_DATA' }));
  });
});

describe('an answer', () => {
  test('is one message', () => {
    const said = [
      { channel: '/meta/connect', successful: true },
      { channel: '/a', data: { n: 1 } },
    ];
    expect(answered(profileOf(BAYEUX), ...said)).toEqual([said]);
  });

  test('without messages is none', () => {
    expect(answered(profileOf(BAYEUX))).toEqual([]);
  });

  test('lets the client stay with its transport', () => {
    const reply = { channel: '/meta/handshake', successful: true, clientId: 'c1' };
    expect(answered(profileOf(BAYEUX), { ...reply, supportedConnectionTypes: ['long-polling'] })).toEqual([
      [{ ...reply, supportedConnectionTypes: ['websocket', 'long-polling'] }],
    ]);
    expect(answered(profileOf(BAYEUX), { ...reply, supportedConnectionTypes: ['websocket'] })).toEqual([
      [{ ...reply, supportedConnectionTypes: ['websocket'] }],
    ]);
  });

  test.each(['', 'OK', '[1]', '1'])('may not be %j', (body) => {
    const { sent } = sendsOf(profileOf(BAYEUX));
    expect(() => sent?.(answer(body))).toThrow(expect.objectContaining({ code: 'UPSTREAM_INVALID' }));
  });
});

describe('the service is told that a client has left', () => {
  const GOODBYE = [{ channel: '/meta/disconnect', clientId: 'c1' }];
  const toldBy = (profile: Profile, ending?: Ending) => {
    const body = profile.close(ending)?.body;
    return body === undefined ? undefined : JSON.parse(String(body));
  };

  test('which has begun its session here', () => {
    const profile = profileOf(BAYEUX);
    answered(profile, { channel: '/meta/handshake', successful: true, clientId: 'c1' });
    expect(toldBy(profile, LEFT)).toEqual(GOODBYE);
  });

  test('or elsewhere', () => {
    const profile = profileOf(BAYEUX);
    sent(profile, CONNECT);
    expect(toldBy(profile, LEFT)).toEqual(GOODBYE);
  });

  test('unless the client has said so', () => {
    const profile = profileOf(BAYEUX);
    sent(profile, CONNECT);
    sent(profile, { channel: '/meta/disconnect', clientId: 'c1' });
    expect(toldBy(profile, LEFT)).toBeUndefined();
  });

  test('but not of one that was cut off, and may come back', () => {
    const profile = profileOf(BAYEUX);
    sent(profile, CONNECT);
    expect(toldBy(profile, { ...LEFT, by: 'gateway' })).toBeUndefined();
    expect(toldBy(profile)).toBeUndefined();
  });

  test('or has no session', () => {
    const profile = profileOf(BAYEUX);
    answered(profile, { channel: '/meta/handshake', successful: false, clientId: 'c1' });
    expect(toldBy(profile, LEFT)).toBeUndefined();
  });
});

test('a message that waits is not held taken apart, which takes thirty times its room', () => {
  const waiting = Array.from({ length: 4 }, () => said(`[${'{},'.repeat(100_000)}{}]`));
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const { lane, send } = sendsOf(profileOf(BAYEUX));
  for (const one of waiting) expect(lane?.(one)).toBe('rest');
  collectGarbage();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(4 * 2 ** 20);
  expect(send(waiting, 1)?.body).toHaveLength(4 * 300_003 + 1);
});

describe('what is nested too deeply', () => {
  const DEEP = `[{"channel":"/a","data":${'['.repeat(100_000)}${']'.repeat(100_000)}}]`;
  const { send, sent } = sendsOf(profileOf(BAYEUX));

  test('is no message of a client', () => {
    expect(() => send([said(DEEP)], 1)).toThrow(expect.objectContaining({ code: 'INVALID_PAYLOAD' }));
  });

  test('is no answer of a service', () => {
    expect(() => sent?.(answer(DEEP))).toThrow(expect.objectContaining({ code: 'UPSTREAM_INVALID' }));
  });
});
