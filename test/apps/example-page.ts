import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

/** What the tests with config/examples/databases-in-a-page share. */

export const EXAMPLE = fileURLToPath(new URL('../../config/examples/databases-in-a-page', import.meta.url));
export const HERE = fileURLToPath(new URL('.', import.meta.url));

/** sallyport/client/net as it stands here, in the place of the package's. */
export const library: Plugin = {
  name: 'library',
  enforce: 'pre',
  resolveId: (id) => (id === 'sallyport/client/net' ? join(HERE, '../../src/client/net.ts') : null),
};
