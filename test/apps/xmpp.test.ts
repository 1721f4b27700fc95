import { once } from 'node:events';
import { type Client, client, xml } from '@xmpp/client';
import { expect, onTestFinished, test } from 'vitest';
import { type Guarded, startGuardedExample } from '../support/example.ts';
import { within } from '../support/patience.ts';
import { PASSWORD, startProsody, USERS } from '../support/prosody.ts';
import { pageHeaders } from '../support/visitor.ts';
import { browseWith } from './web-socket.ts';

/** Debian's Prosody, and @xmpp/client over TLS, as on a page with a cookie; it signs in with SCRAM. */

async function startScene(): Promise<Guarded> {
  const prosody = await startProsody();
  return startGuardedExample('xmpp', { 'http://127.0.0.1:5280': `http://127.0.0.1:${prosody.port}` });
}

/** A client that has not started yet; gone when the test has finished. */
function clientOf({ gateway }: Guarded, username: string): Client {
  const service = `wss://localhost:${gateway.port}/xmpp-websocket`;
  const xmpp = client({
    service,
    domain: 'app.example.com',
    resource: 'tests',
    username,
    password: PASSWORD,
  });
  xmpp.reconnect.stop();
  // Each is the rejection of what was asked for, too.
  xmpp.on('error', () => {});
  onTestFinished(async () => {
    if (xmpp.status === 'online') await xmpp.stop();
  });
  return xmpp;
}

test('two users sign in, and one hears the other', async () => {
  const guarded = await startScene();
  browseWith(guarded, pageHeaders(guarded));
  const [alice, bob] = [clientOf(guarded, USERS[0]), clientOf(guarded, USERS[1])];
  const addresses = await within(Promise.all([alice.start(), bob.start()]), 'both to sign in', 10_000);
  expect(addresses.map(String)).toEqual(['alice@app.example.com/tests', 'bob@app.example.com/tests']);
  const stanza = once(bob, 'stanza');
  const text = 'Grüße, ♥ <&> '.repeat(1_000);
  await alice.send(xml('message', { to: addresses[1].toString(), type: 'chat' }, xml('body', {}, text)));
  const [message] = await within(stanza, 'the message');
  expect(message.attrs.from).toBe('alice@app.example.com/tests');
  expect(message.getChildText('body')).toBe(text);
  await within(Promise.all([alice.stop(), bob.stop()]), 'both to sign out');
  await guarded.gateway.logged(({ msg, route }) => msg === 'session ended' && route === 'xmpp');
});

test('nobody comes in without a token', async () => {
  const guarded = await startScene();
  browseWith(guarded, {});
  await expect(within(clientOf(guarded, USERS[0]).start(), 'a refusal')).rejects.toThrow(/401/);
  await guarded.gateway.logged(({ error }) => error === 'TOKEN_MISSING');
});
