import { expect, test } from 'vitest';
import { startGuardedExample } from '../support/example.ts';
import { startNats } from '../support/nats.ts';
import { pageHeaders, visitorOf } from '../support/visitor.ts';

/** Debian's NATS server, its protocol by hand over TLS: a page with a cookie, a program with a header. */

const CONNECT =
  'CONNECT {"verbose":false,"pedantic":true,"user":"alice","pass":"wonderland","lang":"test","version":"1"}';

test('a page hears what a program publishes, whole', async () => {
  const nats = await startNats();
  const guarded = await startGuardedExample('nats', { 'ws://127.0.0.1:8081': `ws://127.0.0.1:${nats.port}` });
  const page = await visitorOf(guarded, pageHeaders(guarded)).converse('/nats');
  const program = await visitorOf(guarded, { authorization: `Bearer ${guarded.token}` }).converse('/nats');
  for (const client of [page, program]) {
    await client.hear(/^INFO \{.*"max_payload":1048576.*\} ?\r\n/);
    client.say(`${CONNECT}\r\nPING\r\n`);
    await client.hear(/^PONG\r\n/);
  }
  page.say('SUB news.* 1\r\nPING\r\n');
  await page.hear(/^PONG\r\n/);
  const payload = 'x'.repeat(500_000);
  program.say(`PUB news.today ${payload.length}\r\n${payload}\r\nPUB news.late 2\r\nok\r\n`);
  const [, heard] = await page.hear(/^MSG news\.today 1 500000\r\n(x+)\r\nMSG news\.late 1 2\r\nok\r\n/);
  expect(heard).toHaveLength(payload.length);
  expect(page.webSocket.extensions).toContain('permessage-deflate');
  expect([await page.part(), await program.part()]).toEqual([1000, 1000]);
});

test('who is not known to NATS is refused by NATS, with its own words', async () => {
  const nats = await startNats();
  const guarded = await startGuardedExample('nats', { 'ws://127.0.0.1:8081': `ws://127.0.0.1:${nats.port}` });
  const page = await visitorOf(guarded, pageHeaders(guarded)).converse('/nats');
  page.say('CONNECT {"user":"mallory","pass":"guess"}\r\nPING\r\n');
  await page.hear(/-ERR 'Authorization Violation'\r\n/);
});
