import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Register, RegisterEntry } from '../../../src/store/commons.ts';
import { Registers } from '../../../src/store/shared/registers.ts';
import { LocalArchive, type LocalChannel, LocalChannels } from '../../support/local-channel.ts';

/** Lists that several processes have a copy of, in the memory of one. */

const HOUR = 3_600_000;

function place() {
  const archive = new LocalArchive();
  const channels = new LocalChannels();
  let now = 1_800_000_000_000;
  return {
    archive,
    get now() {
      return now;
    },
    pass(ms: number) {
      now += ms;
    },
    /** One more process, with a clock that is so many milliseconds off. */
    start(name: string, off = 0): Gateway {
      const channel = channels.join(name);
      const reach = new LocalArchive();
      // Its own way to the one archive, which can be cut by itself.
      reach.write = async (lines) => {
        if (reach.fault) throw reach.fault;
        await archive.write(lines);
      };
      reach.read = async function* () {
        if (reach.fault) throw reach.fault;
        yield* archive.read();
      };
      const registers = new Registers({ channel, archive: reach, now: () => now + off });
      onTestFinished(() => registers.close());
      return gatewayOf(registers, channel, reach);
    },
  };
}

interface Gateway {
  readonly registers: Registers;
  readonly register: Register;
  /** What its reader has heard of, and not that it is struck out. */
  readonly heard: Map<string, string>;
  /** What it has written and heard. */
  cut(): void;
  heal(forgotten?: boolean): Promise<void>;
}

function gatewayOf(registers: Registers, channel: LocalChannel, archive: LocalArchive): Gateway {
  const register = registers.register('revoked');
  const heard = new Map<string, string>();
  register.listen({
    put: ({ name, text }) => heard.set(name, text),
    removed: (name) => heard.delete(name),
  });
  return {
    registers,
    register,
    heard,
    cut() {
      channel.away();
      archive.fault = new Error('no way');
    },
    async heal(forgotten = false) {
      archive.fault = undefined;
      channel.back({ forgotten });
      await registers.synchronize();
    },
  };
}

const entry = (name: string, text: string, until: number): RegisterEntry => ({ name, text, until });
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('what one writes', () => {
  test('the others hear, and who writes it does not', async () => {
    const { start, now } = place();
    const [one, two, three] = [start('one'), start('two'), start('three')];
    one.register.put(entry('alice', 'x', now + HOUR));
    await settled();
    expect([two.heard, three.heard]).toEqual([new Map([['alice', 'x']]), new Map([['alice', 'x']])]);
    expect(one.heard.size).toBe(0);
    two.register.remove('alice');
    await settled();
    expect(three.heard.size).toBe(0);
  });

  test('one that begins later reads, but not what was struck out or is over', async () => {
    const world = place();
    const one = world.start('one');
    one.register.put(entry('alice', 'x', world.now + HOUR));
    one.register.put(entry('bob', 'x', world.now + HOUR));
    one.register.put(entry('carol', 'x', world.now + 1_000));
    one.register.remove('bob');
    await settled();
    world.pass(2_000);
    const two = world.start('two');
    await two.registers.synchronize();
    expect([...two.heard.keys()]).toEqual(['alice']);
  });

  test('of another topic is not of this one', async () => {
    const { start, now } = place();
    const [one, two] = [start('one'), start('two')];
    one.registers.register('other').put(entry('alice', 'x', now + HOUR));
    await settled();
    expect(two.heard.size).toBe(0);
  });

  test('who listens later hears, too, with what it has written itself', async () => {
    const { start, now } = place();
    const one = start('one');
    one.register.put(entry('alice', 'x', now + HOUR));
    const heard: string[] = [];
    one.register.listen({ put: ({ name }) => heard.push(name), removed: () => undefined });
    expect(heard).toEqual(['alice']);
  });
});

describe('while one is away', () => {
  test.each([false, true])(
    'what is written on either side holds afterwards (forgotten: %s)',
    async (forgotten) => {
      const { start, now } = place();
      const [one, two] = [start('one'), start('two')];
      one.register.put(entry('old', 'x', now + HOUR));
      await settled();
      two.cut();
      one.register.put(entry('alice', 'x', now + HOUR));
      one.register.remove('old');
      two.register.put(entry('bob', 'x', now + HOUR));
      await settled();
      expect([one.heard.has('bob'), two.heard.has('alice')]).toEqual([false, false]);
      await two.heal(forgotten);
      await settled();
      expect([one.heard.has('bob'), two.heard.has('alice'), two.heard.has('old')]).toEqual([
        true,
        true,
        false,
      ]);
    },
  );

  test('what was written before on the other side does not count', async () => {
    const world = place();
    const [one, two] = [world.start('one'), world.start('two')];
    two.cut();
    one.register.put(entry('alice', 'first', world.now + HOUR));
    world.pass(1);
    two.register.put(entry('alice', 'second', world.now + HOUR));
    await two.heal();
    await settled();
    expect([one.heard.get('alice'), two.heard.get('alice')]).toEqual(['second', undefined]);
    const three = world.start('three');
    await three.registers.synchronize();
    expect(three.heard.get('alice')).toBe('second');
  });

  test('what is written last counts, though the clock of who wrote it is behind', async () => {
    const { start, now } = place();
    const [one, two] = [start('one'), start('two', -60_000)];
    one.register.put(entry('alice', 'x', now + HOUR));
    await settled();
    two.register.remove('alice');
    await settled();
    expect(one.heard.size).toBe(0);
    const three = start('three');
    await three.registers.synchronize();
    expect(three.heard.size).toBe(0);
  });
});

test('an archive that has lost everything is told again', async () => {
  const { archive, start, now } = place();
  const one = start('one');
  one.register.put(entry('alice', 'x', now + HOUR));
  await settled();
  archive.lines.clear();
  await one.registers.synchronize();
  expect([...archive.lines.values()]).toEqual([expect.objectContaining({ name: 'alice', text: 'x' })]);
});

test('lines that are over are forgotten', async () => {
  vi.useFakeTimers({ toFake: ['setInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const world = place();
  const one = world.start('one');
  for (let index = 0; index < 500; index++) one.register.put(entry(`a ${index}`, 'x', world.now + 1_000));
  await settled();
  expect(one.registers.size).toBe(500);
  world.pass(1_000);
  const heard: string[] = [];
  one.register.listen({ put: ({ name }) => heard.push(name), removed: () => undefined });
  expect(heard).toEqual([]);
  vi.advanceTimersByTime(60_000);
  expect(one.registers.size).toBe(0);
});

describe('of more lines than are held', () => {
  function holding(most: number) {
    const registers = new Registers({
      channel: new LocalChannels().join('one'),
      archive: new LocalArchive(),
      most,
    });
    onTestFinished(() => registers.close());
    const register = registers.register('revoked');
    const removed: string[] = [];
    register.listen({ put: () => undefined, removed: (name) => removed.push(name) });
    const put = (name: string) => register.put(entry(name, 'x', Date.now() + HOUR));
    return { registers, register, removed, put };
  }

  test('the oldest is forgotten, and who reads it hears of it', () => {
    const { registers, removed, put } = holding(3);
    for (const name of ['a', 'b', 'c', 'a', 'd']) put(name);
    expect([registers.size, removed]).toEqual([3, ['b']]);
  });

  test('of many the hundredth part is, at once', () => {
    const { registers, removed, put } = holding(300);
    for (let index = 0; index <= 300; index++) put(`${index}`);
    expect([registers.size, removed]).toEqual([298, ['0', '1', '2']]);
  });

  test('those go first that are struck out, which are nobody’s loss', () => {
    const { registers, register, removed, put } = holding(3);
    for (const name of ['a', 'b', 'c']) put(name);
    register.remove('b');
    put('d');
    expect([registers.size, removed]).toEqual([3, []]);
    put('e');
    expect([registers.size, removed]).toEqual([3, ['a']]);
  });

  test('one that is written again after it was struck out is not forgotten as such', () => {
    const { register, removed, put } = holding(2);
    for (const name of ['a', 'b']) put(name);
    register.remove('b');
    for (const name of ['b', 'c']) put(name);
    expect(removed).toEqual(['a']);
  });
});

test('what makes no sense is not heard', async () => {
  const archive = new LocalArchive();
  const channels = new LocalChannels();
  const registers = new Registers({ channel: channels.join('one'), archive });
  onTestFinished(() => registers.close());
  const other = channels.join('other');
  for (const lines of [null, 7, [null], [{}], [{ topic: 'a', name: 'b', until: 'x', at: 1, chance: 1 }], [7]])
    other.tell({ kind: 'lines', lines } as never);
  await settled();
  expect(registers.size).toBe(0);
});

test('whatever is written, lost, cut and healed in whatever order, all have the same in the end', async () => {
  const gateway = fc.integer({ min: 0, max: 2 });
  const step = fc.oneof(
    fc.record({
      act: fc.constant('put' as const),
      gateway,
      name: fc.constantFrom('a', 'b', 'c'),
      text: fc.constantFrom('x', 'y'),
    }),
    fc.record({ act: fc.constant('remove' as const), gateway, name: fc.constantFrom('a', 'b', 'c') }),
    fc.record({ act: fc.constantFrom('cut' as const, 'heal' as const, 'forget' as const), gateway }),
    fc.record({ act: fc.constantFrom('settle' as const, 'lose' as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const { archive, start, now } = place();
      const all = [start('0'), start('1', 5_000), start('2', -5_000)] as const;
      // What each knows, as its program would: what it writes itself, it knows.
      for (const each of steps) {
        const one = 'gateway' in each ? (all[each.gateway] as Gateway) : all[0];
        if (each.act === 'put') {
          one.heard.set(each.name, each.text);
          one.register.put(entry(each.name, each.text, now + HOUR));
        }
        if (each.act === 'remove') {
          one.heard.delete(each.name);
          one.register.remove(each.name);
        }
        if (each.act === 'cut') one.cut();
        if (each.act === 'heal' || each.act === 'forget') await one.heal(each.act === 'forget');
        if (each.act === 'settle') await settled();
        if (each.act === 'lose') archive.lines.clear();
      }
      for (const one of [...all, ...all]) await one.heal(true);
      await settled();
      const [first, ...others] = all.map(({ heard }) => Object.fromEntries([...heard].sort()));
      for (const other of others) expect(other).toEqual(first);
    }),
    { numRuns: 200 },
  );
});
