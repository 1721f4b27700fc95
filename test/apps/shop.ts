import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { eventually } from '../support/patience.ts';
import { startServer } from '../support/servers.ts';

/** A project as one begins with Next.js: two pages, a component of the browser's, a server action, a route handler. */
const FILES = {
  'package.json': '{ "private": true, "type": "module" }',
  'next.config.js': `export default {
  allowedDevOrigins: ['app.example.com'],
  devIndicators: false,
  turbopack: { root: '/' },
};`,
  'app/layout.js': `export default ({ children }) => <html><head><link rel="icon" href="data:," /></head><body>{children}</body></html>;`,
  'app/page.js': `import Link from 'next/link';
import { headers } from 'next/headers';
import { order } from './order.js';
import Basket from './basket.js';
export default async function Shop() {
  const user = (await headers()).get('x-user');
  return <main><h1>open from nine</h1><p id="user">{user}</p><Basket order={order} /><Link href="/about">about</Link></main>;
}`,
  'app/basket.js': `'use client';
import { useState } from 'react';
export default function Basket({ order }) {
  const [count, setCount] = useState(0);
  const [said, setSaid] = useState('');
  return <>
    <button id="add" onClick={() => setCount(count + 1)}>{count} pears</button>
    <button id="order" onClick={async () => setSaid(await order(count))}>order</button>
    <p id="said">{said}</p>
  </>;
}`,
  'app/order.js': `'use server';
import { headers } from 'next/headers';
export async function order(count) {
  return (await headers()).get('x-user') + ' has ordered ' + count + ' pears';
}`,
  'app/about/page.js': 'export default () => <h1>about us</h1>;',
  'app/feed/route.js': `export function POST(request) {
  return new Response(request.body.pipeThrough(new TextDecoderStream()).pipeThrough(new TransformStream({
    transform: (text, controller) => controller.enqueue(text.toUpperCase()),
  })).pipeThrough(new TextEncoderStream()));
}`,
};

/** It loads compilers. */
const START_MS = 60_000;

export interface Shop {
  /** Of the dev server. */
  readonly port: number;
  /** Writes one of its files, as an editor does. */
  edit(file: keyof typeof FILES, change: (text: string) => string): Promise<void>;
}

/** The dev server of Next.js for such a project; gone when the test has finished. */
export async function startShop(): Promise<Shop> {
  const program = createRequire(import.meta.url).resolve('next/dist/bin/next');
  let root = '';
  const server = await startServer(
    process.execPath,
    async (folder, port) => {
      root = folder;
      await writeProject(folder);
      // With the debugging of what is off already, no process of it outlives the server. Vitest's NODE_ENV is another.
      const telemetry = { NEXT_TELEMETRY_DISABLED: '1', NEXT_TELEMETRY_DEBUG: '1' };
      const env = { NODE_ENV: 'development', ...telemetry };
      return { args: [program, 'dev', '--hostname', '127.0.0.1', '--port', String(port)], env };
    },
    START_MS,
  );
  onTestFinished(() => server.close());
  // It takes requests before it has looked at what pages there are.
  const isReady = () => fetch(`http://127.0.0.1:${server.port}/`).then(({ ok }) => ok);
  await eventually(isReady, 'the first page', START_MS);
  return {
    port: server.port,
    edit: (file, change) => writeFile(join(root, file), change(FILES[file])),
  };
}

async function writeProject(folder: string): Promise<void> {
  for (const [file, text] of Object.entries(FILES)) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), text);
  }
  await symlink(fileURLToPath(new URL('node_modules', import.meta.url)), join(folder, 'node_modules'));
}
