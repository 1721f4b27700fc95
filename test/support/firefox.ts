import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { within } from './patience.ts';
import { programPath, startServer } from './servers.ts';

/** Debian's Firefox, led by WebDriver BiDi. */
export interface Firefox {
  /** For https://localhost, at any port. */
  setCookie(name: string, value: string): Promise<void>;
  /** Resolves when the page is loaded. */
  open(url: string): Promise<void>;
  /** Runs a script on the page, and resolves with the text that it resolves with. */
  evaluate(script: string): Promise<string>;
}

/** A process of several hundred megabytes, and a profile made anew. */
const SLOW_MS = 30_000;

interface Reply {
  readonly id: number;
  readonly error?: string;
  readonly message?: string;
  readonly result?: Record<string, unknown>;
}

/** Starts one without a window and with a profile of its own, that believes any certificate; ended with the test. */
export async function startFirefox(): Promise<Firefox> {
  const send = await openDriver(`ws://127.0.0.1:${await startBrowser()}/session`);
  await send('session.new', { capabilities: { alwaysMatch: { acceptInsecureCerts: true } } });
  const tree = (await send('browsingContext.getTree', {})) as { contexts: { context: string }[] };
  const context = tree.contexts[0]?.context;
  return {
    async setCookie(name, text) {
      const value = { type: 'string', value: text };
      await send('storage.setCookie', { cookie: { ...COOKIE, name, value } });
    },
    async open(url) {
      await send('browsingContext.navigate', { context, url, wait: 'complete' });
    },
    async evaluate(expression) {
      const asked = { expression, target: { context }, awaitPromise: true };
      const { type, result, ...rest } = await send('script.evaluate', asked);
      if (type !== 'success') throw new Error(`the script failed: ${JSON.stringify(rest)}`);
      return (result as { value: string }).value;
    },
  };
}

const COOKIE = { domain: 'localhost', secure: true, httpOnly: true };

/** Resolves with the port of its driver. */
async function startBrowser(): Promise<number> {
  const program = programPath('firefox-esr', 'firefox-esr');
  const server = await startServer(
    program,
    async (folder, port) => ({
      args: ['--headless', '--no-remote', '--profile', folder, `--remote-debugging-port=${port}`],
      env: { HOME: folder, MOZ_CRASHREPORTER_DISABLE: '1' },
    }),
    SLOW_MS,
  );
  onTestFinished(() => server.close());
  return server.port;
}

type Send = (method: string, params: object) => Promise<Record<string, unknown>>;

async function openDriver(url: string): Promise<Send> {
  const driver = new WebSocket(url);
  onTestFinished(() => driver.terminate());
  await within(once(driver, 'open'), 'the driver of Firefox', SLOW_MS);
  driver.on('error', () => {});
  const waiting = new Map<number, (reply: Reply) => void>();
  driver.on('message', (data) => {
    const reply = JSON.parse(String(data)) as Reply;
    waiting.get(reply.id)?.(reply);
    waiting.delete(reply.id);
  });
  let last = 0;

  return async function send(method, params) {
    const { promise, resolve } = Promise.withResolvers<Reply>();
    last += 1;
    waiting.set(last, resolve);
    driver.send(JSON.stringify({ id: last, method, params }));
    const { error, message, result } = await within(promise, `the answer to ${method}`, SLOW_MS);
    if (result === undefined) throw new Error(`${method}: ${error}: ${message}`);
    return result;
  };
}
