import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Page } from 'playwright-core';
import { build, type Rolldown } from 'vite';
import { expect, onTestFinished, test } from 'vitest';
import type { connect, TcpConnection } from '../../src/client/index.ts';
import { launchChromium, openPage } from '../support/chromium.ts';
import { startFirefox } from '../support/firefox.ts';
import type { TestGateway } from '../support/gateway.ts';
import { eventually, within } from '../support/patience.ts';
import { serveScript } from '../support/script-page.ts';
import { echo, tcpScene } from '../support/tcp-v1-scene.ts';

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

/** Opens a connection in the page; it reads nothing. Resolves with the subprotocol. */
function openIn(page: Page, url: string, protocols?: readonly string[]): Promise<string> {
  return page.evaluate(
    async ([at, offered]) => {
      const { sallyport } = globalThis as unknown as { sallyport: { connect: typeof connect } };
      const connection = sallyport.connect(at, { protocols: offered });
      const { protocol } = await connection.opened;
      Object.assign(globalThis, { connection, reader: connection.readable.getReader() });
      return protocol;
    },
    [url, protocols] as const,
  );
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

/** Bytes of a port's connections that are in the system, sent and not read. */
function underWay(port: number): number {
  const at = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n');
  const queues = lines.filter((line) => line.includes(at)).map((line) => line.trim().split(/\s+/)[4] ?? '');
  return queues
    .flatMap((both) => both.split(':'))
    .reduce((sum, hex) => sum + Number.parseInt(hex || '0', 16), 0);
}

/** Resolves with what a call comes to when it comes to the same for half a second. */
async function settled(read: () => Promise<number>): Promise<number> {
  let [last, since] = [-1, 0];
  await eventually(
    async () => {
      const now = await read();
      if (now !== last) [last, since] = [now, performance.now()];
      return performance.now() - since > 500;
    },
    () => `${last} stays`,
    20_000,
  );
  return last;
}

/** A page of a service that sends much, and the gateway between them. */
async function scene(upstream = '') {
  const origin = await serveScript(await bundle());
  const service = (socket: Socket) => void socket.on('error', () => {}).end(Buffer.alloc(MUCH));
  const { gateway } = await tcpScene(service, { route: `origins: ["${origin}"],`, upstream });
  const browser = await launchChromium();
  onTestFinished(() => browser.close());
  const page = await openPage(browser);
  await page.goto(origin);
  return { gateway, page };
}

test('a page that does not read plain messages leaves them to the system, and to the service', async () => {
  const { gateway, page } = await scene(', tcpProtocol: off');
  expect(await openIn(page, gateway.url('/tcp'), ['binary'])).toBe('binary');
  const all = await settled(() => sent(gateway));
  expect(all).toBeGreaterThan(WINDOW_BYTES);
  const queued = all - underWay(gateway.port);
  if (process.env.QUEUE_SHOW) console.log({ sent: all, queued });
  // What the gateway holds is part of it.
  expect(queued).toBeLessThan(2 * 1024 * 1024);
  expect(await readIn(page, MUCH)).toBe(MUCH);
});

test('a page closes a connection of plain messages that it does not read', async () => {
  const { gateway, page } = await scene(', tcpProtocol: off');
  await openIn(page, gateway.url('/tcp'), ['binary']);
  await settled(() => sent(gateway));
  const closing = page.evaluate(() =>
    (globalThis as unknown as { connection: TcpConnection }).connection.close().then(() => 'closed'),
  );
  expect(await within(closing, 'the end', 20_000)).toBe('closed');
});

test('a page that does not read makes the service wait, with a window in the page', async () => {
  const { gateway, page } = await scene();
  expect(await openIn(page, gateway.url('/tcp'))).toBe('sallyport.tcp.v1');
  await eventually(async () => (await sent(gateway)) >= WINDOW_BYTES);
  expect(await readIn(page, 300_000)).toBeLessThan(600_000);
  await page.close();
  const { down } = (await gateway.logged(({ msg }) => msg === 'session ended')) as {
    down: { bytes: number };
  };
  if (process.env.QUEUE_SHOW) console.log(down);
  expect(down.bytes).toBeLessThan(300_000 + 2 * WINDOW_BYTES);
});

/** Sends a text to an echo, and closes. Resolves with the subprotocol and what came back. */
const ECHO = (url: string, protocols: string) => `(async () => {
  const connection = sallyport.connect('${url}', { protocols: ${protocols} });
  const { protocol } = await connection.opened;
  const writer = connection.writable.getWriter();
  await writer.write(new TextEncoder().encode('hello'));
  const { value } = await connection.readable.getReader().read();
  await connection.close();
  return [typeof WebSocketStream, protocol, new TextDecoder().decode(value)].join(' ');
})()`;

test('Firefox, which has no WebSocketStream, speaks both', async () => {
  const origin = await serveScript(await bundle());
  const route = `origins: ["${origin}"],`;
  const { gateway } = await tcpScene(echo, { route });
  const { gateway: plain } = await tcpScene(echo, { route, upstream: ', tcpProtocol: off' });
  const firefox = await startFirefox();
  await firefox.open(origin);
  expect(await firefox.evaluate(ECHO(gateway.url('/tcp'), 'undefined'))).toBe(
    'undefined sallyport.tcp.v1 hello',
  );
  expect(await firefox.evaluate(ECHO(plain.url('/tcp'), "['binary']"))).toBe('undefined binary hello');
});
