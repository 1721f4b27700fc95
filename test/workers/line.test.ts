import { beforeEach, describe, expect, test, vi } from 'vitest';
import { GatewayError } from '../../src/errors.ts';
import { Line } from '../../src/workers/line.ts';
import { type WayPair, wayPair } from '../support/ways.ts';

let way: WayPair;
let near: Line;
let far: Line;

beforeEach(() => {
  way = wayPair();
  [near, far] = [new Line(way.near), new Line(way.far)];
});

test('either end asks, and gets the answer to its own question', async () => {
  near.answer('twice', (what: number) => what * 2);
  far.answer('twice', async (what: number) => what * 20);
  expect(await Promise.all([near.ask('twice', 1), far.ask('twice', 2), near.ask('twice', 3)])).toEqual([
    20, 4, 60,
  ]);
});

test('what has no limit stays so, and bytes stay bytes', async () => {
  far.answer('echo', (what: unknown) => what);
  const what = { max: Infinity, data: new Uint8Array([1, 2]), nothing: undefined };
  expect(await near.ask('echo', what)).toEqual(what);
});

test('a word is heard, and nobody minds if it means nothing', async () => {
  const heard = vi.fn();
  far.answer('word', heard);
  near.say('nonsense', 1);
  near.say('word', 'hello');
  await vi.waitFor(() => expect(heard).toHaveBeenCalledExactlyOnceWith('hello'));
});

describe('who is asked fails', () => {
  test('on purpose, with its code, sentence and detail', async () => {
    far.answer('refuse', () => {
      throw new GatewayError('BAD_REQUEST', { sentence: 'It is wrong.', detail: 'here' });
    });
    const failed = near.ask('refuse');
    await expect(failed).rejects.toThrow(GatewayError);
    await expect(failed).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: 'It is wrong.',
      detail: 'here',
    });
  });

  test('by a fault of its own', async () => {
    far.answer('break', async () => {
      throw new TypeError('what a surprise');
    });
    await expect(near.ask('break')).rejects.toThrow(/another process.*what a surprise/);
    await expect(near.ask('break')).rejects.not.toThrow(GatewayError);
  });

  test('for want of somebody who knows', async () => {
    await expect(near.ask('nonsense')).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  test('by hanging: nobody waits for longer than was said', async () => {
    way.hang();
    await expect(near.ask('anything', undefined, 20)).rejects.toThrow('no answer in 20 ms');
  });

  test('not because who asks stood still, and has not read the answer yet', async () => {
    far.answer('twice', (what: number) => what * 2);
    const asked = near.ask('twice', 1, 20);
    const since = performance.now();
    while (performance.now() - since < 200);
    expect(await asked).toBe(2);
  });

  test('by ending: nobody waits at all', async () => {
    far.answer('never', () => new Promise(() => {}));
    const failed = near.ask('never');
    way.cut();
    await expect(failed).rejects.toThrow('the other process is gone');
    await expect(near.ask('never')).rejects.toThrow('the other process is gone');
  });
});

test('no more than ten thousand questions are open at a time', async () => {
  way.hang();
  const open = Array.from({ length: 10_000 }, () => near.ask('anything').catch(() => undefined));
  await expect(near.ask('anything')).rejects.toThrow('too many questions are open');
  way.cut();
  await Promise.all(open);
});
