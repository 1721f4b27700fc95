import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { StoreConfig } from '../../src/config/store.ts';
import type { Commons } from '../../src/store/commons.ts';
import { openRedisStore, type RedisStore } from '../../src/store/redis/index.ts';
import { folderWith, sallyport } from '../support/cli.ts';
import { startWay, type Way } from '../support/partition.ts';
import { eventually } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';
import { command, redisCli } from '../support/redis.ts';
import { type RunningServer, startRedis } from '../support/servers.ts';

/** What several gateways know together besides counts, in Debian's Redis. */

let redis: RunningServer;
const heard: string[] = [];

beforeEach(async () => {
  heard.length = 0;
  redis = await startRedis();
  onTestFinished(() => redis.close());
});

/** Unless said, answers have time enough for a machine that is busy with other things. */
async function open(port = redis.port, { refuses = false, withinMs = 2_000 } = {}): Promise<RedisStore> {
  const config: StoreConfig = { redis: [`redis://127.0.0.1:${port}`], prefix: 'test', onFailure: 'local' };
  const store = await openRedisStore(config, {
    withinMs,
    refusal: refuses ? () => new Error('refused') : undefined,
    hearing: {
      failed: (cause) => heard.push(`deaf: ${(cause as Error).message}`),
      recovered: () => heard.push('hears'),
    },
  });
  onTestFinished(() => store.close());
  return store;
}

/** Two, the second of which knows of the first. */
async function openTwo(ports: readonly [number, number] = [redis.port, redis.port]) {
  const stores = [await open(ports[0]), await open(ports[1])] as const;
  await eventually(
    () => stores[1].gateways === 2,
    () => 'they have not seen each other',
    10_000,
  );
  return stores.map(({ commons }) => commons) as [Commons, Commons];
}

/** What one of them has heard of a topic. */
function listen(commons: Commons, topic = 'revoked'): Map<string, string> {
  const lines = new Map<string, string>();
  commons.register(topic).listen({
    put: ({ name, text }) => lines.set(name, text),
    removed: (name) => lines.delete(name),
  });
  return lines;
}

const inAnHour = () => Date.now() + 3_600_000;
const entry = (name: string, until = inAnHour()) => ({ name, text: `text of ${name}`, until });

test('one that begins has read all before it is there, however long that takes', async () => {
  const line = (at: number) => ['HSET', 'test:registers', `revoked ${at}`, `1 1 ${inAnHour()} +text`];
  const commands = Array.from({ length: 15_000 }, (_, at) => command(...line(at)));
  await redisCli(redis.port, ['--pipe'], Buffer.concat(commands));
  const way = await startWay(redis.port);
  // Farther away than what is given to a Redis that does not answer, as often as it is asked for some of them.
  way.delay(100);
  const { commons } = await open(way.port);
  expect(listen(commons).size).toBe(15_000);
});

const has = (lines: Map<string, string>, name: string, isThere = true) =>
  eventually(
    () => lines.has(name) === isThere,
    () => `${name} is ${isThere ? 'not' : 'still'} there`,
    10_000,
  );

async function keys(): Promise<string[]> {
  return (await redisCli(redis.port, ['KEYS', '*'])).trim().split('\n');
}

describe('notes', () => {
  test('are taken by one of those that ask at both gateways, a hundred times', async () => {
    const both = await openTwo();
    for (let round = 0; round < 100; round++) {
      expect(await both[round % 2]?.notes.put(`n ${round}`, 'text', 10_000)).toBe(true);
      expect(await both[1]?.notes.put(`n ${round}`, 'other', 10_000)).toBe(false);
      const taken = await Promise.all(
        Array.from({ length: 10 }, (_, at) => both[at % 2]?.notes.take(`n ${round}`)),
      );
      expect(taken.filter((text) => text !== undefined)).toEqual(['text']);
    }
  });

  test('are over in time', async () => {
    const [one, two] = await openTwo();
    await one.notes.put('n', 'text', 20);
    await eventually(async () => (await redisCli(redis.port, ['EXISTS', 'test:note:n'])) === '0\n');
    expect(await two.notes.take('n')).toBeUndefined();
    expect(await two.notes.put('n', 'again', 10_000)).toBe(true);
  });

  test('are kept by the gateway alone while Redis is away, and no longer', async () => {
    const { commons } = await open();
    process.kill(redis.pid as number, 'SIGKILL');
    await eventually(async () => {
      return commons.notes.put('n', 'text', 60_000).then(
        () => true,
        () => false,
      );
    });
    expect(await commons.notes.put('n', 'text', 60_000)).toBe(false);
    redis = await startRedis(redis.port);
    onTestFinished(() => redis.close());
    await eventually(
      async () => {
        await commons.notes.put(`probe ${performance.now()}`, 'x', 1_000).catch(() => undefined);
        return (await keys()).some((key) => key.includes('note:probe'));
      },
      () => 'notes are not kept in Redis again',
      10_000,
    );
    expect(await commons.notes.put('n', 'text', 60_000)).toBe(false);
    expect(await commons.notes.take('n')).toBe('text');
    expect(await commons.notes.take('n')).toBeUndefined();
  });

  test.each([false, true])(
    'that may be kept are refused, and with them all where that is wished: %s',
    async (refuses) => {
      const { commons } = await open(redis.port, { refuses, withinMs: 50 });
      process.kill(redis.pid as number, 'SIGSTOP');
      onTestFinished(() => void process.kill(redis.pid as number, 'SIGCONT'));
      for (let attempt = 0; attempt < 3; attempt++)
        await expect(commons.notes.put('n', 'text', 60_000)).rejects.toMatchObject({
          code: 'STORE_UNAVAILABLE',
        });
      const put = commons.notes.put('m', 'text', 60_000);
      const take = () => commons.notes.take('m');
      if (refuses) {
        await expect(put).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
        await expect(take()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      } else {
        expect([await put, await take(), await take()]).toEqual([true, 'text', undefined]);
      }
    },
  );
});

describe('a question', () => {
  test('is answered by both, who asks first', async () => {
    const [one, two] = await openTwo();
    two.broadcast.answer('count', () => 1);
    one.broadcast.answer('count', (what) => what);
    expect(await two.broadcast.ask('count', { of: 'ünïcode\n' }, 10_000)).toEqual([1, { of: 'ünïcode\n' }]);
  });

  test('is heard by who was away, once there is a way again', async () => {
    const way = await startWay(redis.port);
    const [one, two] = await openTwo([redis.port, way.port]);
    const asked: unknown[] = [];
    two.broadcast.answer('count', (what) => asked.push(what));
    way.cut();
    await eventually(() => heard.some((each) => each.startsWith('deaf')));
    expect(await one.broadcast.ask('count', 'a', 50)).toEqual([]);
    expect(await one.broadcast.ask('count', 'b', 50)).toEqual([]);
    expect(asked).toEqual([]);
    way.heal();
    await eventually(
      () => asked.length === 2,
      () => JSON.stringify(asked),
      10_000,
    );
    expect(asked).toEqual(['a', 'b']);
    await eventually(() => heard.includes('hears'));
  });

  test('of who was away is heard later', async () => {
    const way = await startWay(redis.port);
    const [one, two] = await openTwo([redis.port, way.port]);
    const asked: unknown[] = [];
    one.broadcast.answer('count', (what) => asked.push(what));
    way.cut();
    expect(await two.broadcast.ask('count', 'a', 50)).toEqual([]);
    way.heal();
    await eventually(
      () => asked.length > 0,
      () => 'nothing was heard',
      10_000,
    );
  });
});

describe('a register', () => {
  test('is that of all, and of one that begins later', async () => {
    const [one, two] = await openTwo();
    const heardByTwo = listen(two);
    one.register('revoked').put(entry('alice'));
    one.register('revoked').put(entry('with a space\nand ünïcode'));
    one.register('revoked').put(entry('bob'));
    await has(heardByTwo, 'bob');
    expect(heardByTwo.get('with a space\nand ünïcode')).toBe('text of with a space\nand ünïcode');
    one.register('revoked').remove('bob');
    await has(heardByTwo, 'bob', false);
    const third = (await open()).commons;
    expect([...listen(third).keys()].sort()).toEqual(['alice', 'with a space\nand ünïcode']);
    expect(listen(third, 'other').size).toBe(0);
  });

  const parted: [string, (way: Way) => void][] = [
    ['cut', (way) => way.cut()],
    ['stopped', (way) => way.stop()],
  ];
  test.each(parted)('has what was written on either side while the way was %s', async (_name, part) => {
    const way = await startWay(redis.port);
    const [one, two] = await openTwo([redis.port, way.port]);
    const [atOne, atTwo] = [listen(one), listen(two)];
    one.register('revoked').put(entry('before'));
    await has(atTwo, 'before');
    part(way);
    one.register('revoked').put(entry('alice'));
    two.register('revoked').put(entry('bob'));
    two.register('revoked').remove('before');
    await eventually(
      () => heard.some((each) => each.startsWith('deaf')),
      () => 'it believes to hear',
      10_000,
    );
    way.heal();
    await has(atTwo, 'alice');
    await has(atOne, 'bob');
    await has(atOne, 'before', false);
  });

  test('is written again to a Redis that has lost it', async () => {
    const [one] = await openTwo();
    one.register('revoked').put(entry('alice'));
    await eventually(async () => (await keys()).includes('test:registers'));
    await redis.close();
    redis = await startRedis(redis.port);
    onTestFinished(() => redis.close());
    await eventually(
      async () => (await keys()).includes('test:registers'),
      () => 'it is not there',
      10_000,
    );
    expect([...listen((await open()).commons).keys()]).toEqual(['alice']);
  });

  test('is written again to a Redis that has forgotten all, though nothing was cut', async () => {
    const [one] = await openTwo();
    one.register('revoked').put(entry('alice'));
    await eventually(async () => (await keys()).includes('test:registers'));
    await redisCli(redis.port, ['FLUSHALL']);
    await eventually(
      async () => (await keys()).includes('test:registers'),
      () => 'it is not there',
      10_000,
    );
  });

  test('takes five thousand at once', async () => {
    const [one, two] = await openTwo();
    const atTwo = listen(two);
    for (let index = 0; index < 5_000; index++) one.register('revoked').put(entry(`n ${index}`));
    await eventually(
      () => atTwo.size === 5_000,
      () => `${atTwo.size} are there`,
      20_000,
    );
    expect(listen((await open()).commons).size).toBe(5_000);
  });

  test('is not kept beyond its entries', async () => {
    const { commons } = await open();
    commons.register('revoked').put(entry('short', Date.now() + 1_500));
    await eventually(async () => (await keys()).includes('test:registers'));
    await eventually(
      async () => !(await keys()).includes('test:registers'),
      () => 'it is still there',
      10_000,
    );
    commons.register('revoked').put(entry('short', Date.now() + 300));
    commons.register('revoked').put(entry('long'));
    await eventually(async () => (await redisCli(redis.port, ['HLEN', 'test:registers'])) === '2\n');
    await new Promise((resolve) => setTimeout(resolve, 400));
    await open();
    expect(await redisCli(redis.port, ['HKEYS', 'test:registers'])).toBe('revoked long\n');
  });
});

test('whether the others are heard is known', async () => {
  const way = await startWay(redis.port);
  const store = await open(way.port);
  expect(store.isHearing).toBe(true);
  way.cut();
  await eventually(() => !store.isHearing);
  way.heal();
  await eventually(() => store.isHearing);
  expect(heard.at(-1)).toBe('hears');
});

test('all is kept under keys that end by themselves', async () => {
  const [one] = await openTwo();
  one.register('revoked').put(entry('alice'));
  await one.notes.put('n', 'text', 10_000);
  await one.broadcast.ask('count', 1, 10_000);
  await eventually(async () => (await keys()).length >= 4);
  expect((await keys()).sort()).toEqual(['test:events', 'test:gateways', 'test:note:n', 'test:registers']);
  for (const key of await keys())
    expect(Number(await redisCli(redis.port, ['PTTL', key])), key).toBeGreaterThan(0);
});

test('a Redis that may not be read is told of, once, and keeps nobody from the rest', async () => {
  await redisCli(redis.port, ['ACL', 'SETUSER', 'default', '-xread']);
  const { commons } = await open();
  await eventually(() => heard.length > 0);
  expect(await commons.notes.put('n', 'text', 10_000)).toBe(true);
  expect(heard).toEqual([expect.stringContaining('NOPERM')]);
});

describe('check --live', () => {
  async function checked(store: string) {
    const text = `listeners: [{ host: 127.0.0.1, port: 8080 }]
store: { ${store} }
routes: [{ name: a, match: { path: /a }, auth: none, upstream: { tcp: "127.0.0.1:${redis.port}" } }]`;
    const folder = await folderWith({ 'gate.yaml': text });
    const { code, out } = await sallyport(['check', '--live', join(folder, 'gate.yaml')]);
    const row = out.split('\n').find((line) => / store /.test(line));
    return [code, row?.replace(/^\S+ +store +/, '')];
  }
  const address = () => `redis: "redis://127.0.0.1:${redis.port}"`;

  test('says which Redis it is', async () => {
    expect(await checked(address())).toEqual([0, expect.stringMatching(/^(Redis|Valkey) \d+\.\d+\.\d+$/)]);
    const keptKeys = await keys();
    for (const key of keptKeys) expect(key).toMatch(/^$|sallyport:(note|events):check/);
  });

  test('says what is wrong', async () => {
    const port = await freePort();
    expect(await checked(`redis: "redis://127.0.0.1:${port}"`)).toEqual([1, 'FAILS: nothing listens there']);
    await redisCli(redis.port, ['CONFIG', 'SET', 'maxmemory', '1']);
    expect(await checked(address())).toEqual([1, expect.stringContaining('OOM')]);
    await redisCli(redis.port, ['CONFIG', 'SET', 'maxmemory', '0']);
    await redisCli(redis.port, ['ACL', 'SETUSER', 'default', '-xread']);
    expect(await checked(address())).toEqual([1, expect.stringContaining("'xread' command")]);
    await redisCli(redis.port, ['ACL', 'SETUSER', 'some', 'on', '>secret', '~*', '+@all']);
    await redisCli(redis.port, ['ACL', 'SETUSER', 'default', 'off']);
    expect(await checked(address())).toEqual([1, expect.stringContaining('NOAUTH')]);
    const login = 'username: some, password: wrong';
    expect(await checked(`${address()}, ${login}`)).toEqual([1, expect.stringContaining('WRONGPASS')]);
    process.kill(redis.pid as number, 'SIGSTOP');
    onTestFinished(() => void process.kill(redis.pid as number, 'SIGCONT'));
    expect(await checked(`${address()}, ${login}`)).toEqual([1, 'FAILS: no answer in time']);
  });
});
