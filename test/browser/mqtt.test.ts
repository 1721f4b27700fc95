import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium, openPage } from '../support/chromium.ts';
import { freshToken } from '../support/fresh.ts';
import { type Exchanged, exchange, type Job, PLACES, startBroker } from '../support/mqtt.ts';

/** MQTT.js on a page, over TLS and the tcp bridge, to Mosquitto's raw port; the page itself comes through the gateway. */

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

test.each(PLACES)('a thousand messages come through whole, with the token in the %s', async (place) => {
  const { gateway, host } = await startBroker();
  const page = await openPage(browser);
  await page.goto(`https://${host}/`);
  const token = freshToken({ scope: 'mqtt' });
  const job: Job = { url: `wss://${host}/mqtt`, token, place, count: 1_000, largest: 200_000 };
  const tools = '{ mqtt, open: (url, protocols) => new WebSocket(url, protocols) }';
  const { sent, heard } = await page.evaluate<Exchanged>(`(${exchange})(${JSON.stringify(job)}, ${tools})`);
  expect(sent).toHaveLength(1_000);
  expect(heard).toEqual(sent);
  expect(gateway.log.filter((line) => line.msg === 'session opened')).toMatchObject([
    { bridge: 'tcp', protocol: 'mqtt', origin: `https://${host}` },
    { bridge: 'tcp', protocol: 'mqtt', origin: `https://${host}` },
  ]);
});
