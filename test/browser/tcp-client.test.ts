import type { Socket } from 'node:net';
import type { Page } from 'playwright-core';
import { build, type Rolldown } from 'vite';
import { expect, onTestFinished, test } from 'vitest';
import type { connect } from '../../src/client/index.ts';
import { launchChromium, openPage } from '../support/chromium.ts';
import type { TestGateway } from '../support/gateway.ts';
import { eventually } from '../support/patience.ts';
import { serveScript } from '../support/script-page.ts';
import { tcpScene } from '../support/tcp-v1-scene.ts';

/** The client library in Chromium. */

const WINDOW_BYTES = 256 * 1024;
const MUCH = 64 * 1024 * 1024;

async function bundle(): Promise<string> {
  const output = await build({
    configFile: false,
    logLevel: 'silent',
    build: {
      write: false,
      modulePreload: false,
      rolldownOptions: {
        input: 'src/client/index.ts',
        preserveEntrySignatures: 'strict',
        output: { format: 'iife', name: 'sallyport', footer: 'Object.assign(globalThis, { sallyport });' },
      },
    },
  });
  return (output as Rolldown.RolldownOutput).output[0].code;
}

interface Reader {
  read(): Promise<{ done: boolean; value?: Uint8Array }>;
}

/** Opens a connection in the page; it reads nothing. */
async function openIn(page: Page, url: string): Promise<void> {
  await page.evaluate(async (at) => {
    const { sallyport } = globalThis as unknown as { sallyport: { connect: typeof connect } };
    const connection = sallyport.connect(at);
    await connection.opened;
    Object.assign(globalThis, { reader: connection.readable.getReader() });
  }, url);
}

/** Reads at least as many bytes in the page. Resolves with how many it were. */
function readIn(page: Page, least: number): Promise<number> {
  return page.evaluate(async (bytes) => {
    const { reader } = globalThis as unknown as { reader: Reader };
    let read = 0;
    while (read < bytes) read += (await reader.read()).value?.length ?? 0;
    return read;
  }, least);
}

/** Bytes that the gateway has sent to its clients. */
async function sent(gateway: TestGateway): Promise<number> {
  const metrics = await gateway.metrics();
  const [, bytes = '0'] =
    /^sallyport_\w*bytes_total\{[^}]*direction="down"[^}]*\} (\S+)$/m.exec(metrics) ?? [];
  return Number(bytes);
}

test('a page that does not read makes the service wait, with a window in the page', async () => {
  const origin = await serveScript(await bundle());
  const service = (socket: Socket) => void socket.on('error', () => {}).end(Buffer.alloc(MUCH));
  const { gateway } = await tcpScene(service, { route: `origins: ["${origin}"],` });
  const browser = await launchChromium();
  onTestFinished(() => browser.close());
  const page = await openPage(browser);
  await page.goto(origin);
  await openIn(page, gateway.url('/tcp'));
  await eventually(async () => (await sent(gateway)) >= WINDOW_BYTES);
  expect(await readIn(page, 300_000)).toBeLessThan(600_000);
  await page.close();
  const { down } = (await gateway.logged(({ msg }) => msg === 'session ended')) as {
    down: { bytes: number };
  };
  if (process.env.QUEUE_SHOW) console.log(down);
  expect(down.bytes).toBeLessThan(300_000 + 2 * WINDOW_BYTES);
});
