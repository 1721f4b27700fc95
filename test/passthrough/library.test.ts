import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import '../../src/passthrough/library.ts';

test('http-proxy is read before the first request, which may find no descriptor left for that', () => {
  const { cache, resolve } = createRequire(import.meta.url);
  expect(Object.keys(cache)).toContain(resolve('http-proxy'));
});
