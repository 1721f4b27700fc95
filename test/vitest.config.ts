import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/**
 * `unit` needs npm only; `system` needs servers from Debian and Chromium, and says which one is missing; `apps` needs some of
 * them, and the packages of test/apps, which `npm run test:apps` installs.
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
          setupFiles: ['test/support/fast-check.ts', 'test/support/clock.ts'],
          include: ['test/**/*.test.ts'],
          exclude: ['test/system/**', 'test/browser/**', 'test/apps/**'],
          // A process for each file takes as long to begin as most files take to run.
          isolate: false,
          testTimeout: 20_000,
          hookTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'system',
          setupFiles: ['test/support/fast-check.ts'],
          include: ['test/system/**/*.test.ts', 'test/browser/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'apps',
          include: ['test/apps/*.test.ts'],
          testTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
