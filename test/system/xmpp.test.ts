import { expect, test } from 'vitest';
import type { Conversation } from '../support/conversation.ts';
import { startGuardedExample } from '../support/example.ts';
import { PASSWORD, startProsody, USERS } from '../support/prosody.ts';
import { pageHeaders, visitorOf } from '../support/visitor.ts';

/** Debian's Prosody, with the framing of RFC 7395 by hand over TLS: a page with a cookie, a program with a header. */

const OPEN = '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="app.example.com" version="1.0"/>';

/** From the opening of the stream to presence (RFC 6120 §6, §7). */
async function signIn(stream: Conversation, user: string): Promise<void> {
  stream.say(OPEN);
  await stream.hear(/<mechanism>PLAIN<\/mechanism>/);
  const plain = Buffer.from(`\0${user}\0${PASSWORD}`).toString('base64');
  stream.say(`<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">${plain}</auth>`);
  await stream.hear(/<success /);
  stream.say(OPEN);
  await stream.hear(/<bind /);
  const bind = '<bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"><resource>tests</resource></bind>';
  stream.say(`<iq xmlns="jabber:client" type="set" id="b">${bind}</iq>`);
  await stream.hear(/<jid>\w+@app\.example\.com\/tests<\/jid>/);
  stream.say('<presence xmlns="jabber:client"/>');
  await stream.hear(/<presence /);
}

test('two users sign in, and one hears the other', async () => {
  const prosody = await startProsody();
  const guarded = await startGuardedExample('xmpp', {
    'http://127.0.0.1:5280': `http://127.0.0.1:${prosody.port}`,
  });
  const page = visitorOf(guarded, pageHeaders(guarded));
  const alice = await page.converse('/xmpp-websocket', ['xmpp']);
  const program = visitorOf(guarded, { authorization: `Bearer ${guarded.token}` });
  const bob = await program.converse('/xmpp-websocket', ['xmpp']);
  expect([alice.webSocket.protocol, bob.webSocket.protocol]).toEqual(['xmpp', 'xmpp']);
  await signIn(alice, USERS[0]);
  await signIn(bob, USERS[1]);
  const body = 'Grüße, ♥ '.repeat(1_000);
  alice.say(
    `<message xmlns="jabber:client" to="bob@app.example.com/tests" type="chat"><body>${body}</body></message>`,
  );
  const [, heard] = await bob.hear(/from='alice@app\.example\.com\/tests'.*<body>(.*)<\/body>/);
  expect(heard).toBe(body);
  bob.say('<close xmlns="urn:ietf:params:xml:ns:xmpp-framing"/>');
  await bob.hear(/<close /);
  await alice.part();
});
