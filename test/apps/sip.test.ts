import { once } from 'node:events';
import JsSIP from 'jssip';
import type { IncomingMessageEvent, RegisteredEvent, UA } from 'jssip/lib/UA.js';
import { expect, onTestFinished, test } from 'vitest';
import { type Guarded, startGuardedExample } from '../support/example.ts';
import { startKamailio } from '../support/kamailio.ts';
import { within } from '../support/patience.ts';
import { pageHeaders } from '../support/visitor.ts';
import { browseWith } from './web-socket.ts';

/** Debian's Kamailio, and JsSIP over TLS, as a telephone on a page with a cookie. */

/** JsSIP waits two seconds for its transactions before it closes the WebSocket. */
const STOP_MS = 10_000;

async function startScene(): Promise<Guarded> {
  const kamailio = await startKamailio();
  return startGuardedExample('sip', { '127.0.0.1:8088': `127.0.0.1:${kamailio.port}` });
}

/** A telephone that is not switched on yet; switched off when the test has finished. */
function telephoneOf({ gateway }: Guarded, user: string): UA {
  const sockets = [new JsSIP.WebSocketInterface(`wss://localhost:${gateway.port}/sip`)];
  const telephone = new JsSIP.UA({ sockets, uri: `sip:${user}@app.example.com` });
  onTestFinished(() => telephone.stop());
  return telephone;
}

/** Switches it on; resolves with what the registrar answers. */
async function register(telephone: UA): Promise<RegisteredEvent> {
  const registered = once(telephone, 'registered');
  telephone.start();
  const [event] = (await within(registered, 'the registration')) as [RegisteredEvent];
  return event;
}

test('two telephones register, and one sends the other a message', async () => {
  const guarded = await startScene();
  browseWith(guarded, pageHeaders(guarded));
  const [alice, bob] = [telephoneOf(guarded, 'alice'), telephoneOf(guarded, 'bob')];
  for (const telephone of [alice, bob])
    expect((await register(telephone)).response.getHeader('Contact')).toContain('expires=600');
  const coming = once(bob, 'newMessage') as Promise<[IncomingMessageEvent]>;
  const sent = alice.sendMessage('sip:bob@app.example.com', 'Ring me: ♥');
  const succeeded = once(sent, 'succeeded');
  const [{ request }] = await within(coming, 'the message');
  expect([request.from.uri.toString(), request.body]).toEqual(['sip:alice@app.example.com', 'Ring me: ♥']);
  await within(succeeded, 'the answer');
  const unregistered = once(alice, 'unregistered');
  alice.unregister();
  await within(unregistered, 'the end of the registration');
  alice.stop();
  await guarded.gateway.logged(({ msg, route }) => msg === 'session ended' && route === 'sip', STOP_MS);
});

test('nobody comes in without a token', async () => {
  const guarded = await startScene();
  browseWith(guarded, {});
  const stranger = telephoneOf(guarded, 'mallory');
  const disconnected = once(stranger, 'disconnected');
  stranger.start();
  await within(disconnected, 'a refusal');
  await guarded.gateway.logged(({ error }) => error === 'TOKEN_MISSING');
  expect(stranger.isRegistered()).toBe(false);
});
