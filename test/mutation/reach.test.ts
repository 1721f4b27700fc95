import { describe, expect, test } from 'vitest';
import { inStages, testsReaching } from './reach.ts';
import { sampleOf } from './sample.ts';

const SOURCES = new Map([
  ['src/frames/mask.ts', ''],
  ['src/frames/reader.ts', `import { mask } from './mask.ts';`],
  ['src/frames/types.ts', `import type { Reader } from './reader.ts';`],
  ['src/bridge/peer.ts', `import { FrameReader } from '../frames/reader.ts';`],
  ['src/main.ts', `const { run } = await import('./bridge/peer.ts');`],
  ['test/frames/reader.test.ts', `import { FrameReader } from '../../src/frames/reader.ts';`],
  ['test/frames/types.test.ts', `import { T } from '../../src/frames/types.ts';`],
  ['test/bridge/peer.test.ts', `import {\n  Peer,\n} from '../../src/bridge/peer.ts';`],
  ['test/support/alone.ts', `import { Peer } from '../../src/bridge/peer.ts';`],
  ['test/gateway/stalled.test.ts', `spawn(new URL('../support/alone.ts', import.meta.url));`],
  ['test/cli/run.test.ts', `spawn('node', ['src/main.ts']);`],
  ['test/other.test.ts', ''],
]);

describe('the tests that reach a file', () => {
  test('are those that import it, over however many files, the nearest first', () => {
    expect(testsReaching('src/frames/mask.ts', SOURCES)).toEqual([
      { test: 'test/frames/reader.test.ts', distance: 2 },
      { test: 'test/bridge/peer.test.ts', distance: 3 },
      { test: 'test/cli/run.test.ts', distance: 4 },
      { test: 'test/gateway/stalled.test.ts', distance: 4 },
    ]);
  });

  test('are run in stages: its own, its room’s, the others', () => {
    const file = 'src/frames/mask.ts';
    expect(inStages(file, testsReaching(file, SOURCES))).toEqual([
      ['test/frames/reader.test.ts'],
      ['test/bridge/peer.test.ts', 'test/cli/run.test.ts', 'test/gateway/stalled.test.ts'],
    ]);
    const reach = ['test/a/b/c.test.ts', 'test/a/b.test.ts', 'test/a/x.test.ts', 'test/z.test.ts'];
    const reaching = reach.map((path) => ({ test: path, distance: 2 }));
    const expected = [reach.slice(0, 2), reach.slice(2, 3), reach.slice(3)];
    expect(inStages('src/a/b/index.ts', reaching)).toEqual(expected);
  });
});

test('a sample is the same for the same seed, in the old order, without repetition', () => {
  const all = Array.from({ length: 100 }, (_, index) => index);
  const sample = sampleOf(all, 10, 7);
  expect(sample).toHaveLength(10);
  expect(sampleOf(all, 10, 7)).toEqual(sample);
  expect(sampleOf(all, 10, 8)).not.toEqual(sample);
  expect(sample.toSorted((a, b) => a - b)).toEqual(sample);
  expect(new Set(sample).size).toBe(10);
  expect(sampleOf(all, 1000, 7)).toEqual(all);
});
