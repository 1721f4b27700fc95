import { describe, expect, onTestFinished, test } from 'vitest';
import { SharedBroadcast } from '../../../src/store/shared/broadcast.ts';
import { type LocalChannel, LocalChannels } from '../../support/local-channel.ts';

/** Questions that all processes hear, in the memory of one. */

/** Longer than a test may take: what resolves has not waited for it. */
const LONG_MS = 60_000;

function start(channel: LocalChannel): SharedBroadcast {
  const broadcast = new SharedBroadcast(channel);
  onTestFinished(() => broadcast.close());
  return broadcast;
}

function startThree() {
  const channels = new LocalChannels();
  const joined = ['one', 'two', 'three'].map((name) => channels.join(name));
  const broadcasts = joined.map(start);
  return { channels, joined, broadcasts } as {
    channels: LocalChannels;
    joined: [LocalChannel, LocalChannel, LocalChannel];
    broadcasts: [SharedBroadcast, SharedBroadcast, SharedBroadcast];
  };
}

describe('a question', () => {
  test('is answered by all, who asks first, and is not waited for longer', async () => {
    const [one, two, three] = startThree().broadcasts;
    one.answer('count', (what) => [what, 1]);
    two.answer('count', async (what) => [what, 2]);
    three.answer('count', (what) => [what, 3]);
    const answers = await one.ask('count', { of: 'alice' }, LONG_MS);
    expect(answers[0]).toEqual([{ of: 'alice' }, 1]);
    expect(answers.slice(1)).toEqual(
      expect.arrayContaining([
        [{ of: 'alice' }, 2],
        [{ of: 'alice' }, 3],
      ]),
    );
    expect(answers).toHaveLength(3);
  });

  test('is answered in the same turn by who asks', () => {
    const [one] = startThree().broadcasts;
    let asked = 0;
    one.answer('count', () => {
      asked += 1;
    });
    void one.ask('count', 'x', 0);
    expect(asked).toBe(1);
  });

  test('that nobody answers to, or somebody with nothing, or by failing, is over all the same', async () => {
    const [one, two, three] = startThree().broadcasts;
    two.answer('count', () => undefined);
    three.answer('count', () => {
      throw new Error('a bug');
    });
    expect(await one.ask('count', 'x', LONG_MS)).toEqual([]);
  });

  test('is over in time where one does not answer, who hears it later', async () => {
    const { broadcasts, joined } = startThree();
    const [one, two, three] = broadcasts;
    const heard: unknown[] = [];
    two.answer('count', () => 2);
    three.answer('count', (what) => heard.push(what));
    joined[2].away();
    expect(await one.ask('count', 'x', 10)).toEqual([2]);
    expect(heard).toEqual([]);
    joined[2].back();
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual(['x']);
  });

  test('of one that nobody hears is told when it is back', async () => {
    const { broadcasts, joined } = startThree();
    const [one, two] = broadcasts;
    const heard: unknown[] = [];
    two.answer('count', (what) => heard.push(what));
    joined[0].away();
    expect(await one.ask('count', 'x', 10)).toEqual([]);
    joined[0].back();
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual(['x']);
  });

  test('of one that is alone is not waited for', async () => {
    const alone = start(new LocalChannels().join('one'));
    alone.answer('count', () => 1);
    expect(await alone.ask('count', 'x', LONG_MS)).toEqual([1]);
  });

  test('ends with the process', async () => {
    const { broadcasts, joined } = startThree();
    joined[1].away();
    const asked = broadcasts[0].ask('count', 'x', LONG_MS);
    broadcasts[0].close();
    expect(await asked).toEqual([]);
  });
});

test('an answer that comes twice, or to no question, counts once, or not', async () => {
  const { channels, broadcasts } = startThree();
  const stranger = channels.join('stranger');
  stranger.onTold(({ kind, ...more }) => {
    if (kind !== 'question') return;
    const { id } = more as { id: string };
    for (const each of ['no such question', id, id])
      stranger.tell({ kind: 'answer', id: each, what: each === id });
  });
  expect(await broadcasts[0].ask('count', 'x', LONG_MS)).toEqual([true]);
});

test('who does not answer any more is not asked', async () => {
  const [one] = startThree().broadcasts;
  const undo = one.answer('count', () => 1);
  undo();
  expect(await one.ask('count', 'x', LONG_MS)).toEqual([]);
});
