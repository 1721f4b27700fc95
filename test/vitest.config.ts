import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Tests that measure, and would measure their neighbours, and those whose store has to answer in 50 ms. */
const ALONE = [
  ...['hostile-services', 'many-sessions', 'names', 'socket-spread', 'targets'],
  ...[
    'several-gateways',
    'store-commons',
    'store-kinds',
    'store-redis',
    'tickets',
    'workers',
    'workers-store',
  ],
].map((name) => `test/system/${name}.test.ts`);

/** Gateways in processes of their own begin in two thirds of the time where their code has been read before. */
const env = { NODE_COMPILE_CACHE: new URL('../node_modules/.cache/compile', import.meta.url).pathname };

/** `expect.poll` is as patient as the other waits are: one second is not much on a machine that has others to serve. */
const COMMON = { env, expect: { poll: { timeout: 8_000 } } };

/**
 * `unit` needs npm only; `system`, and `alone` behind it, need servers from Debian and Chromium, and say which one is missing;
 * `apps` needs some of them, and the packages of test/apps, which `npm run test:apps` installs.
 */
export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    // More than there are cores, for many tests wait most of their time.
    maxWorkers: availableParallelism() + 2,
    projects: [
      {
        test: {
          name: 'unit',
          ...COMMON,
          setupFiles: ['test/support/fast-check.ts', 'test/support/clock.ts'],
          include: ['test/**/*.test.ts'],
          exclude: ['test/system/**', 'test/browser/**', 'test/apps/**'],
          // A process for each file takes as long to begin as most files take to run.
          isolate: false,
          // Some count by tens of thousands, and a busy machine takes several times as long for that as an idle one.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'system',
          ...COMMON,
          setupFiles: ['test/support/fast-check.ts'],
          include: ['test/system/**/*.test.ts', 'test/browser/**/*.test.ts'],
          exclude: ALONE,
          testTimeout: 120_000,
          hookTimeout: 60_000,
          // Gateways, services and a browser of each take more than one core as it is.
          maxWorkers: Math.max(2, availableParallelism()),
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'alone',
          ...COMMON,
          setupFiles: ['test/support/fast-check.ts'],
          include: ALONE,
          testTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'apps',
          ...COMMON,
          include: ['test/apps/*.test.ts'],
          testTimeout: 60_000,
          maxWorkers: Math.max(2, availableParallelism()),
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
