import { builtinModules } from 'node:module';
import { build, type Rolldown } from 'vite';
import { expect, test } from 'vitest';

/** What a page loads. */

async function bundle(entry: string, external: string[] = []): Promise<Rolldown.OutputChunk> {
  const output = await build({
    configFile: false,
    logLevel: 'silent',
    build: {
      write: false,
      target: 'es2022',
      modulePreload: false,
      rolldownOptions: {
        input: entry,
        external,
        preserveEntrySignatures: 'strict',
        output: { minify: true },
      },
    },
  });
  return (output as Rolldown.RolldownOutput).output[0];
}

test('the client library is small, and needs nothing', async () => {
  const { code, imports, dynamicImports } = await bundle('src/client/index.ts');
  expect([imports, dynamicImports]).toEqual([[], []]);
  expect(code.length).toBeLessThan(12_000);
  expect(code).not.toMatch(/\b(?:process|Buffer|require)\b/);
});

test('its net needs only the stream that bundlers bring', async () => {
  const { imports } = await bundle('src/client/net.ts', [...builtinModules, /^node:/ as never]);
  expect(imports).toEqual(['node:stream']);
});
