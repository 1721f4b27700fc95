import { globSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadExample } from '../support/examples.ts';

const files = ['config/sallyport.yaml', ...globSync('config/examples/*.yaml')];

test('there are examples', () => expect(files.length).toBeGreaterThan(1));

test.each(files)('%s is in order', async (file) => {
  await expect(loadExample(file)).resolves.toMatchObject({ warnings: [] });
});
