import { globSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';

const files = globSync('config/examples/*');

test('there are examples', () => expect(files.length).toBeGreaterThan(0));

test.each(files)('%s is in order', async (file) => {
  await expect(loadConfig(file, { env: {} })).resolves.toMatchObject({ warnings: [] });
});
