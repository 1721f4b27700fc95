import { expect, test } from 'vitest';
import { startGuardedExample } from '../support/example.ts';
import { startKamailio } from '../support/kamailio.ts';
import { pageHeaders, visitorOf } from '../support/visitor.ts';

/** Debian's Kamailio, with SIP by hand over TLS (RFC 7118), as a telephone in a page speaks it. */

/** A request of a telephone whose address nobody can reach but by this WebSocket. */
function request(method: string, user: string, to: string, body = '', more: readonly string[] = []): string {
  const lines = [
    `${method} sip:${method === 'REGISTER' ? '' : `${to}@`}app.example.com SIP/2.0`,
    `Via: SIP/2.0/WSS ${user}.invalid;branch=z9hG4bK${method}${user}`,
    'Max-Forwards: 70',
    `From: <sip:${user}@app.example.com>;tag=${user}`,
    `To: <sip:${to}@app.example.com>`,
    `Call-ID: ${method}-${user}`,
    `CSeq: 1 ${method}`,
    ...more,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

function registration(user: string): string {
  const contact = `Contact: <sip:${user}@${user}.invalid;transport=ws>;expires=600`;
  return request('REGISTER', user, user, '', [contact]);
}

test('two telephones register, and one sends the other a message', async () => {
  const kamailio = await startKamailio();
  const guarded = await startGuardedExample('sip', { '127.0.0.1:8088': `127.0.0.1:${kamailio.port}` });
  const page = visitorOf(guarded, pageHeaders(guarded));
  const alice = await page.converse('/sip', ['sip']);
  const bob = await page.converse('/sip', ['sip']);
  expect([alice.webSocket.protocol, bob.webSocket.protocol]).toEqual(['sip', 'sip']);
  for (const [telephone, user] of [
    [alice, 'alice'],
    [bob, 'bob'],
  ] as const) {
    telephone.say(registration(user));
    await telephone.hear(/^SIP\/2\.0 200 OK\r\n.*\r\nContact: .*expires=600.*\r\n\r\n/s);
  }
  const body = 'Ring me: ♥';
  alice.say(request('MESSAGE', 'alice', 'bob', body, ['Content-Type: text/plain;charset=utf-8']));
  const [heard] = await bob.hear(/^MESSAGE sip:bob@.*\r\n\r\nRing me: ♥/s);
  const answered = heard.split('\r\n').filter((line) => /^(Via|From|To|Call-ID|CSeq):/.test(line));
  bob.say(['SIP/2.0 200 OK', ...answered, 'Content-Length: 0', '', ''].join('\r\n'));
  await alice.hear(/^SIP\/2\.0 200 OK\r\n.*CSeq: 1 MESSAGE/s);
  await alice.part();
  await bob.part();
});
