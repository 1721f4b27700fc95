import { EventEmitter, once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { store } from '../../../src/config/store.ts';
import { RedisArchive } from '../../../src/store/redis/archive.ts';
import { RedisAuthority } from '../../../src/store/redis/authority.ts';
import { openRedis, type RedisLink } from '../../../src/store/redis/link.ts';
import { Membership } from '../../../src/store/redis/membership.ts';
import { leaveOverlong } from '../../../src/store/redis/overlong.ts';
import { BUCKET } from '../../../src/store/redis/scripts.ts';
import { within } from '../../support/patience.ts';

/** A server that is no Redis, or one that is broken: whoever asks it fails, and the process lives. */

const NIL = '$-1\r\n';
const ONE = ':1\r\n';
const INFO = '$9\r\nloading:0\r\n';

/** A link to a server that answers a command with what `answer` makes of its words, and the end of its first connection. */
async function linked(answer: (words: string) => string | Buffer, more = {}) {
  const { promise: firstEnd, resolve: onEnd } = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.once('close', onEnd);
    socket.on('error', () => undefined).setEncoding('utf8');
    socket.on('data', (piece: string) => {
      for (const words of piece.split(/^\*\d+\r\n/m).slice(1)) socket.write(answer(words));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const link: RedisLink = openRedis(store.parse({ redis: `redis://127.0.0.1:${port}`, ...more }));
  onTestFinished(() => {
    link.close();
    server.close();
  });
  // Sentinels are asked anew until one answers.
  if (!('sentinel' in more)) await link.tried;
  return { link, firstEnd };
}

const isAsked = (words: string) => /\bevalsha\b/.test(words);
const sound = (words: string) => (/\binfo\b/i.test(words) ? INFO : ONE);

test.each([
  ['more answers than questions', `${ONE}${NIL}`],
  ['a push of nothing', '>1\r\n_\r\n'],
  ['a push that nobody has asked for', `>2\r\n$9\r\nsubscribe\r\n_\r\n`],
])('%s: the connection is given up', async (_name, bytes) => {
  const { link, firstEnd } = await linked((words) => (isAsked(words) ? bytes : sound(words)));
  const asked = link.run(BUCKET, 'key', 1).catch(() => undefined);
  // In five seconds it is given up for its silence.
  await within(firstEnd, 'the end of the connection', 4_000);
  await asked;
});

test.each([
  ['nothing', NIL],
  ['no ranges', `*1\r\n${NIL}`],
  ['more slots than there are', '*1\r\n*3\r\n:0\r\n:99999999999\r\n*2\r\n$9\r\n127.0.0.1\r\n:6379\r\n'],
  ['no nodes', `*1\r\n*3\r\n:0\r\n:16383\r\n${NIL}`],
])('a cluster whose slots are %s', async (_name, slots) => {
  const { link } = await linked((words) => (/\bslots\b/i.test(words) ? slots : sound(words)), {
    cluster: true,
  });
  expect(link.isReady).toBe(false);
});

test('a Sentinel that pushes what nobody has asked for is one that does not answer', async () => {
  const { link } = await linked(() => '>1\r\n_\r\n', { sentinel: 'main' });
  await expect.poll(() => String(link.fault)).toMatch('All sentinels are unreachable');
});

test('what is too long to be an answer is not kept', async () => {
  const piece = Buffer.alloc(17 * 1_024 * 1_024, 'x');
  const begun = Buffer.concat([Buffer.from('$999999999\r\n'), piece]);
  const { link } = await linked((words) => (isAsked(words) ? begun : sound(words)));
  await expect(link.run(BUCKET, 'key', 1)).rejects.toThrow();
  await expect(link.run(BUCKET, 'key', 1)).rejects.toMatchObject({
    cause: { message: 'an answer of Redis is longer than 16 MiB' },
  });
});

describe('an answer that does not end', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function watched() {
    const disconnect = vi.fn();
    const overlong = leaveOverlong(Object.assign(new EventEmitter(), { disconnect }) as unknown as Redis);
    onTestFinished(() => overlong.close());
    return { overlong, disconnect };
  }

  test('is waited for no longer than ten seconds', async () => {
    const { overlong, disconnect } = watched();
    void overlong.watch(new Promise(() => undefined));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(disconnect.mock.calls).toEqual([[true]]);
  });

  test('is another matter where others do', async () => {
    const { overlong, disconnect } = watched();
    for (let second = 0; second < 60; second++) {
      void overlong.watch(new Promise((resolve) => setTimeout(resolve, 2_000)));
      await vi.advanceTimersByTimeAsync(1_000);
    }
    await vi.advanceTimersByTimeAsync(60_000);
    expect(disconnect).not.toHaveBeenCalled();
  });
});

describe('answers of another shape are failures', () => {
  const rule = { name: 'r', rate: { count: 10, perMs: 1_000 }, burst: 10 };
  const link = (answer: unknown) =>
    ({ run: async () => answer, call: async () => answer }) as unknown as RedisLink;
  const membership = { name: 'me', living: { names: ['me'], readAt: 0 } } as unknown as Membership;
  const authority = (answer: unknown) => new RedisAuthority(link(answer), 'test', membership);

  test.each([
    [null],
    ['abc'],
    [1],
    [[]],
    [['1', '0']],
    [[Number.NaN, 0]],
    [[-1, 0]],
    [[4, 0]],
    [[1, -1]],
    [[0.5, 0]],
  ])('to who takes 3: %j', async (answer) => {
    await expect(authority(answer).take(rule, 'key', 3)).rejects.toThrow('makes no sense');
  });

  test.each([[null], [[]], [[1, 0]], [[4, 0]], [[2, -1]], [[2, Number.NaN]], [{}]])(
    'to who holds 2 places and wants one more: %j',
    async (answer) => {
      const holding = authority(answer).hold('r', 'key', { held: 2, wanted: 3 }, 5);
      await expect(holding).rejects.toThrow('makes no sense');
    },
  );

  test.each([[null], [[]], [[1, 2, 'abc']], [[1, 2, [3]]], [[1, Number.NaN, []]]])(
    'to who says that it is alive: %j',
    async (answer) => {
      const heard = vi.fn();
      const alive = new Membership({ link: link(answer), prefix: 'test', onHeard: heard });
      onTestFinished(() => alive.close());
      await alive.beat();
      expect([alive.size, alive.living.names, heard.mock.calls]).toEqual([1, [], []]);
    },
  );

  test('a hash without an end is not read for ever', async () => {
    const archive = new RedisArchive(link(['7', ['a b', '1 1 99999999999999 +x']]), 'test');
    let read = 0;
    const all = (async () => {
      for await (const lines of archive.read()) read += lines.length;
    })();
    await expect(all).rejects.toThrow('test:registers does not end');
    expect(read).toBe(10_000);
  });
});
