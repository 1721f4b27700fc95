import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type ViteDevServer } from 'vite';
import { onTestFinished } from 'vitest';
import { portOf } from './servers.ts';

/** A project of three files, as one begins with Vite. */
const FILES = {
  'index.html': `<!doctype html>
<meta charset="utf-8"><title>shop</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css">
<h1></h1><script type="module" src="/main.js"></script>`,
  'style.css': 'h1 { color: rgb(200, 0, 0) }',
  'main.js': `import { greeting } from './greeting.js';
const show = (text) => { document.querySelector('h1').textContent = text; };
show(greeting);
import.meta.hot.accept('./greeting.js', (changed) => show(changed.greeting));`,
  'greeting.js': `export const greeting = 'open from nine';`,
};

export interface Project {
  /** Of the dev server. */
  readonly port: number;
  /** Writes one of its files, as an editor does. */
  edit(file: keyof typeof FILES, text: string): Promise<void>;
}

/** Vite's dev server for such a project, that answers to the name `host`; gone when the test has finished. */
export async function startVite(host: string): Promise<Project> {
  const root = await mkdtemp(join(tmpdir(), 'sallyport-vite-'));
  onTestFinished(() => rm(root, { recursive: true }));
  const edit = (file: string, text: string) => writeFile(join(root, file), text);
  await Promise.all(Object.entries(FILES).map(([file, text]) => edit(file, text)));
  const server: ViteDevServer = await createServer({
    root,
    configFile: false,
    mode: 'development',
    logLevel: 'warn',
    cacheDir: join(root, '.vite'),
    server: { host: '127.0.0.1', allowedHosts: [host] },
  });
  onTestFinished(() => server.close());
  await server.listen();
  if (server.httpServer === null) throw new Error('the dev server has no HTTP server');
  return { port: portOf(server.httpServer as Parameters<typeof portOf>[0]), edit };
}
