import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { onTestFinished } from 'vitest';

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Where the system's Chromium is; throws a sentence that says how to get one. */
export function chromiumPath(): string {
  const path = PATHS.find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error('this test needs Chromium: apt-get install chromium');
  return path;
}

/** A fresh Chromium without a profile, that phones nobody. Close it. */
export function launchChromium(...more: readonly string[]): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath(),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...more,
    ],
  });
}

/**
 * A Chromium for which there is one host in the world: whatever port of it is asked for is `port` of 127.0.0.1. Closed
 * when the test has finished.
 */
export async function launchTowards(host: string, port: number): Promise<Browser> {
  const browser = await launchChromium(
    `--host-resolver-rules=MAP ${host} 127.0.0.1:${port}, MAP * ~NOTFOUND`,
  );
  onTestFinished(() => browser.close());
  return browser;
}

/** A page in a context of its own that accepts self-signed certificates; closed when the test has finished. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
  onTestFinished(() => context.close());
  return context.newPage();
}
