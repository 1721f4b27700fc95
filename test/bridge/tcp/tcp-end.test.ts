import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Ending } from '../../../src/bridge/contract.ts';
import { TcpEnd } from '../../../src/bridge/tcp/tcp-end.ts';
import { Diary, endingOf, sessionOf } from '../../support/ends.ts';
import { type Pair, type PairMaker, startPairs, turns, turnsUntil } from '../../support/pairs.ts';
import { within } from '../../support/patience.ts';
import { openSocketPair } from '../../support/sockets.ts';

/** A TCP service as a bridge has it, on a real connection. */

let pairs: PairMaker;
beforeAll(async () => {
  pairs = await startPairs('dialled', false);
});
afterAll(() => pairs[Symbol.asyncDispose]());

const STALL_MS = 50;

interface Stand {
  readonly lastWords?: (end: TcpEnd) => void;
  readonly open?: () => Promise<Pair>;
  readonly stallMs?: number;
  readonly onFinished?: () => void;
}

async function stand({
  lastWords = () => {},
  open = pairs.open,
  stallMs = STALL_MS,
  onFinished,
}: Stand = {}) {
  const pair = await open();
  onTestFinished(() => pair[Symbol.dispose]());
  const events = new Diary();
  const taken: string[] = [];
  const end: TcpEnd = new TcpEnd({
    socket: pair.ours,
    session: sessionOf({ stallMs }),
    take: (chunk) => taken.push(chunk.toString()) && chunk.length,
    beforeTold: () => lastWords(end),
    onFinished,
    events,
  });
  return { end, events, taken, service: pair.peer, reset: pair.reset };
}

/** What the service sees, from now to its end: what it is sent, then `fin`, or `reset`. */
function story(service: Socket): Promise<string> {
  let seen = '';
  service.on('data', (chunk: Buffer) => {
    seen += chunk.toString();
  });
  const end = new Promise<string>((resolve) => {
    service.on('end', () => resolve(`${seen} fin`));
    service.on('close', () => resolve(`${seen} reset`));
  });
  service.resume();
  return within(end, 'the end of the service');
}

const byClient = (code: number): Ending => ({ code, reason: '', by: 'client', clean: true });

describe('what it is told', () => {
  test.each<[string, Ending, string]>([
    ['the client has closed with 1000', byClient(1000), 'fin'],
    ['the client has closed with 1001', byClient(1001), 'fin'],
    ['the client has closed without a code', byClient(1005), 'fin'],
    ['the client has vanished', { ...byClient(1006), clean: false }, 'reset'],
    ['the client has failed', byClient(1011), 'reset'],
    ['the client has closed with a code of its own', byClient(4000), 'reset'],
    ['the gateway shuts down', endingOf('GOING_AWAY'), 'reset'],
    ['the token has expired', endingOf('TOKEN_EXPIRED'), 'reset'],
    ['an upstream that has not closed failed', { ...byClient(1000), by: 'upstream' }, 'reset'],
  ])('%s', async (_name, ending, how) => {
    const { end, service } = await stand();
    end.start();
    const seen = story(service);
    end.sink.write(Buffer.from('written'));
    end.tell(ending);
    expect([end.isTold, end.isFinished]).toEqual([true, how === 'reset']);
    expect(await seen).toBe(`written ${how}`);
  });

  test('the first word counts, however late it can be said', async () => {
    const { end, service } = await stand();
    end.start();
    service.pause();
    end.sink.write(Buffer.alloc(16 * 2 ** 20));
    end.tell(byClient(4000));
    end.tell(byClient(1000));
    expect((await story(service)).endsWith(' reset')).toBe(true);
  });

  test('it gets what is still to be written first', async () => {
    const { end, service } = await stand({ lastWords: ({ sink }) => sink.write(Buffer.from('last words')) });
    end.start();
    const seen = story(service);
    end.tell(byClient(1000));
    expect(await seen).toBe('last words fin');
  });

  test('a FIN, if it has sent its own, whatever the reason', async () => {
    const { end, service, events } = await stand();
    end.start();
    const seen = story(service);
    service.end();
    await turnsUntil(() => events.heard.length > 0);
    expect(events.heard).toEqual(['upstream closes 1000 The upstream closed the connection.']);
    expect(end.isFinished).toBe(true);
    end.tell(endingOf('TOKEN_EXPIRED'));
    expect(await seen).toBe(' fin');
  });

  test('by force it is a reset', async () => {
    const { end, service } = await stand();
    end.start();
    const seen = story(service);
    end.destroy();
    expect(await seen).toBe(' reset');
  });
});

describe('how it ends', () => {
  test('what it sends is taken, then its reset is a loss, told once', async () => {
    const { end, service, events, taken, reset } = await stand();
    end.start();
    service.write('hello');
    await turnsUntil(() => taken.length > 0);
    reset();
    await turnsUntil(() => events.heard.includes('upstream is closed'));
    expect([taken, events.heard]).toEqual([['hello'], ['upstream is lost', 'upstream is closed']]);
    expect([end.isTold, end.isFinished]).toEqual([true, true]);
  });

  test('a reset behind its FIN is no loss of what it had said', async () => {
    const { end, service, events, reset } = await stand();
    end.start();
    service.end();
    await turnsUntil(() => events.heard.length > 0);
    reset();
    end.tell(byClient(1000));
    await turnsUntil(() => events.heard.includes('upstream is closed'));
    expect(events.heard[0]).toContain('closes 1000');
  });

  test('one that was closed before it was ours tells it once', async () => {
    const { end, events } = await stand();
    end.socket.destroy();
    await within(once(end.socket, 'close'), 'its close');
    end.start();
    expect(events.heard).toEqual([]);
    await turns();
    expect(events.heard).toEqual(['upstream is lost', 'upstream is closed']);
  });

  test('one that leaves our writes unread for too long is reset', async () => {
    const { end, service, events } = await stand();
    end.start();
    service.pause();
    end.sink.write(Buffer.alloc(64 * 2 ** 20));
    await turnsUntil(() => events.heard.includes('upstream is closed'));
    expect(events.heard).toEqual(['upstream stalls', 'upstream is closed']);
    expect([end.isTold, end.isFinished]).toEqual([true, true]);
    expect((await story(service)).endsWith(' reset')).toBe(true);
  });

  test('it speaks no WebSocket: it owes no sign of life', async () => {
    const { end } = await stand();
    end.start();
    end.ping();
    expect(end.silence(performance.now())).toBeUndefined();
  });

  test('it owes an acknowledgement of what it was sent, until that is seen or it has said something', async () => {
    const { end, service, taken } = await stand();
    const silence = () => end.silence(performance.now());
    end.start();
    end.sink.write(Buffer.from('hello'));
    await turnsUntil(() => silence() === 0);
    await turnsUntil(() => silence() === undefined);
    end.sink.write(Buffer.from('hello'));
    service.write('hello');
    await turnsUntil(() => taken.length > 0);
    await turnsUntil(() => silence() === 0);
    await turnsUntil(() => silence() === undefined);
  });

  test('one that is known to be dead stops nobody by what it has not taken, and is reset at once', async () => {
    const { end, service, events } = await stand({ stallMs: 10_000 });
    end.start();
    service.pause();
    end.sink.write(Buffer.alloc(16 * 2 ** 20));
    await turnsUntil(() => end.sink.isFull);
    end.bury();
    expect(end.sink.isFull).toBe(false);
    end.tell(endingOf('UPSTREAM_TIMEOUT'));
    await turnsUntil(() => events.heard.includes('upstream is closed'));
  });

  test('one that is known to be dead is finished, and its loss is no news', async () => {
    const { end, events, reset } = await stand();
    end.start();
    end.bury();
    expect(end.isFinished).toBe(true);
    reset();
    await turnsUntil(() => events.heard.includes('upstream is closed'));
    expect(events.heard).toEqual(['upstream is closed']);
  });
});

describe('half-closed', () => {
  const finished = async (options: Stand = {}) => {
    const onFinished = vi.fn();
    return { ...(await stand({ onFinished, ...options })), onFinished };
  };

  test('it gets a FIN behind what was written, and goes on sending', async () => {
    const { end, service, taken, events } = await finished();
    end.start();
    let seen = '';
    service.on('data', (chunk) => {
      seen += chunk;
    });
    const fin = once(service, 'end');
    end.sink.write(Buffer.from('a question'));
    const out = vi.fn();
    end.finish(out);
    await within(fin, 'a FIN');
    expect(seen).toBe('a question');
    service.write('an answer');
    await turnsUntil(() => taken.length > 0);
    expect([taken, out.mock.calls.length, end.isTold, end.isThrough]).toEqual([
      ['an answer'],
      1,
      false,
      false,
    ]);
    expect(events.heard).toEqual([]);
  });

  test('its own FIN is told as such, is no Close, and no goodbye where the client is lost behind it', async () => {
    const { end, service, events, onFinished } = await finished();
    end.start();
    const seen = story(service);
    service.end();
    await turnsUntil(() => onFinished.mock.calls.length > 0);
    expect(events.heard).toEqual([]);
    end.sink.write(Buffer.from('half'));
    end.tell({ ...byClient(1006), clean: false });
    expect(await seen).toBe('half reset');
  });

  test('both ways, it is through: that it closes is no loss', async () => {
    const { end, service, events, onFinished } = await finished();
    end.start();
    service.resume().end();
    await turnsUntil(() => onFinished.mock.calls.length > 0);
    end.finish(() => {});
    await turnsUntil(() => events.heard.includes('upstream is closed'));
    expect(events.heard).toEqual(['progress', 'upstream is closed']);
    expect([end.isThrough, end.isTold]).toEqual([true, true]);
  });

  test('a reset behind our FIN is a loss', async () => {
    const { end, events, reset } = await finished();
    end.start();
    end.finish(() => {});
    reset();
    await turnsUntil(() => events.heard.includes('upstream is closed'));
    expect(events.heard[0]).toBe('upstream is lost');
  });

  test('a service that does not read what stands before our FIN stalls', async () => {
    const { end, service, events } = await finished();
    end.start();
    service.pause();
    end.sink.write(Buffer.alloc(64 * 2 ** 20));
    end.finish(() => {});
    await turnsUntil(() => events.heard.includes('upstream is closed'));
    expect(events.heard[0]).toBe('upstream stalls');
    expect((await story(service)).endsWith(' reset')).toBe(true);
  });

  test('told a broken end then, what has not left is lost with a reset', async () => {
    const { end, service } = await finished({ stallMs: 60_000 });
    end.start();
    service.pause();
    end.sink.write(Buffer.alloc(64 * 2 ** 20));
    end.finish(() => {});
    end.tell({ ...byClient(1006), clean: false });
    expect((await story(service)).endsWith(' reset')).toBe(true);
  });
});

describe('on a unix socket, which knows no reset', () => {
  const open = openSocketPair;

  test.each<[string, Ending]>([
    ['a broken end', endingOf('TOKEN_EXPIRED')],
    ['a good one', byClient(1000)],
  ])('%s is the end behind what was written', async (_name, ending) => {
    const { end, service, events } = await stand({ open });
    end.start();
    const seen = story(service);
    end.sink.write(Buffer.from('written'));
    end.tell(ending);
    expect(await seen).toBe('written fin');
    service.end();
    await turnsUntil(() => events.heard.includes('upstream is closed'));
  });

  test('a broken end waits for the service to read all that was written, however much', async () => {
    // So long that a busy machine does not make a stalled one of a reader.
    const { end, service, events } = await stand({ open, stallMs: 10_000 });
    end.start();
    service.pause();
    end.sink.write(Buffer.alloc(4 * 2 ** 20, 'x'));
    end.tell(endingOf('GOING_AWAY'));
    await turns();
    expect(end.socket.destroyed).toBe(false);
    const seen = await story(service);
    expect([seen.length, seen.slice(-5)]).toEqual([4 * 2 ** 20 + 4, 'x fin']);
    await turnsUntil(() => events.heard.includes('upstream is closed'));
  });

  test('by force it is destroyed', async () => {
    const { end, service, events } = await stand({ open });
    end.start();
    const seen = story(service);
    end.destroy();
    expect(await seen).toBe(' fin');
    await turnsUntil(() => events.heard.includes('upstream is closed'));
  });

  test('its host owes no acknowledgement', async () => {
    const { end, service } = await stand({ open });
    end.start();
    service.pause();
    end.sink.write(Buffer.alloc(4 * 2 ** 20));
    end.ping();
    await turnsUntil(() => end.silence(performance.now()) === undefined);
  });
});

describe('after the end it sends too much', () => {
  /** Sends for as long as it is read. */
  function flood(service: Socket): void {
    const write = () => {
      while (!service.destroyed && service.write(Buffer.alloc(64 * 1024)));
    };
    service.on('drain', write);
    write();
  }

  test('it is finished, and destroyed once our FIN is out', async () => {
    const { end, service, events, taken } = await stand();
    end.start();
    end.limit(100);
    end.tell(byClient(1000));
    flood(service);
    await turnsUntil(() => events.heard.includes('upstream is closed'));
    expect([end.isFinished, taken, events.heard[0]]).toEqual([true, [], 'progress']);
  });

  test('it is not destroyed before it is told', async () => {
    const { end, service, events } = await stand();
    end.start();
    end.limit(100);
    flood(service);
    await turnsUntil(() => events.heard.includes('progress'));
    expect([end.isFinished, end.socket.destroyed]).toEqual([true, false]);
    end.tell(byClient(1000));
    end.release();
    await turnsUntil(() => events.heard.includes('upstream is closed'));
  });

  test('let go of, what it sends is dropped, not taken', async () => {
    const { end, service, events, taken } = await stand();
    end.start();
    end.tell(byClient(1000));
    end.release();
    service.end('late');
    await turnsUntil(() => events.heard.includes('upstream is closed'));
    expect(taken).toEqual([]);
  });
});

test('no timer is left when it has closed', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { end, events, reset } = await stand();
  end.start();
  end.sink.write(Buffer.alloc(64 * 2 ** 20));
  await turnsUntil(() => end.sink.isFull);
  expect(vi.getTimerCount()).toBeGreaterThan(0);
  reset();
  await turnsUntil(() => events.heard.includes('upstream is closed'));
  expect(vi.getTimerCount()).toBe(0);
});
