import { defineConfig } from 'vitest/config';

/** The conformance tests of Durable Streams as they come, with the Vitest they come with: against CONFORMANCE_TEST_URL. */
export default defineConfig({
  root: import.meta.dirname,
  test: {
    include: ['node_modules/@durable-streams/server-conformance-tests/dist/test-runner.js'],
    exclude: [],
    // Some count on a second of the clock, which a busy machine may not have had for them.
    testTimeout: 30_000,
    retry: 2,
  },
});
