import { builtinModules } from 'node:module';
import { build, type Rolldown } from 'vite';
import { expect, test } from 'vitest';

/** What a page loads. */

async function bundle(entry: string, external: string[] = []): Promise<Rolldown.OutputChunk[]> {
  const outputs = await build({
    configFile: false,
    logLevel: 'silent',
    build: {
      write: false,
      target: 'es2022',
      // Without what Vite adds to applications whose parts are loaded late.
      lib: { entry, formats: ['es'] },
      rolldownOptions: {
        external,
        preserveEntrySignatures: 'allow-extension',
        output: { minify: true },
      },
    },
  });
  const [{ output }] = outputs as [Rolldown.RolldownOutput];
  return output.filter((part) => part.type === 'chunk');
}

test('the client library is small, and needs nothing', async () => {
  const [library, plain, ...more] = await bundle('src/client/index.ts');
  expect(library?.imports).toEqual([]);
  expect(library?.code.length).toBeLessThan(12_000);
  expect(library?.code).not.toMatch(/\b(?:process|Buffer|require|WebSocketStream)\b/);
  // What only relays of plain messages need is loaded where `protocols` are offered.
  expect(library?.dynamicImports).toEqual([plain?.fileName]);
  expect(plain?.imports).toEqual([library?.fileName]);
  expect(plain?.code.length).toBeLessThan(3_000);
  expect(more).toEqual([]);
});

test('its net needs only the stream that bundlers bring', async () => {
  const chunks = await bundle('src/client/net.ts', [...builtinModules, /^node:/ as never]);
  const names = chunks.map(({ fileName }) => fileName);
  const foreign = chunks.flatMap(({ imports }) => imports).filter((name) => !names.includes(name));
  expect(foreign).toEqual(['node:stream']);
});
