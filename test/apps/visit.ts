import type { Browser, Page } from 'playwright-core';
import { openPage } from '../support/chromium.ts';

/** A blank page of somebody who is logged in: the host's cookie `session` holds the token. Closed when the test has finished. */
export async function loggedIn(browser: Browser, host: string, token: string): Promise<Page> {
  const page = await openPage(browser);
  const cookie = { url: `https://${host}`, secure: true, sameSite: 'Strict', httpOnly: true } as const;
  await page.context().addCookies([{ ...cookie, name: 'session', value: token }]);
  return page;
}
