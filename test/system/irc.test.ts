import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Guarded, startGuardedExample } from '../support/example.ts';
import { startNgircd } from '../support/ngircd.ts';
import { eventually } from '../support/patience.ts';
import { pageHeaders, type Visitor, visitorOf } from '../support/visitor.ts';

/** Debian's ngIRCd, a server of lines without WebSockets, over TLS: IRCv3's WebSocket by hand, in both of its subprotocols. */

async function startScene(): Promise<Guarded> {
  const irc = await startNgircd();
  return startGuardedExample('irc', { '127.0.0.1:6667': `127.0.0.1:${irc.port}` });
}

/** Signs in, and joins #tea. Each message it hears is a line. */
async function join(visitor: Visitor, nick: string, protocol: string) {
  const { webSocket } = await visitor.converse('/irc', [protocol]);
  const heard: string[] = [];
  const kinds = new Set<boolean>();
  webSocket.on('message', (data, isBinary) => {
    heard.push(String(data));
    kinds.add(isBinary);
  });
  const say = (line: string) => webSocket.send(line, { binary: protocol.startsWith('binary') });
  const hear = (pattern: RegExp) =>
    eventually(() => heard.some((line) => pattern.test(line)), `${nick} to hear ${pattern}`, 10_000);
  say(`NICK ${nick}`);
  say(`USER ${nick} 0 * :${nick}`);
  await hear(/^:irc\.example\.com 001 /);
  say('JOIN #tea');
  await hear(/^:irc\.example\.com 366 /);
  return { webSocket, heard, kinds, say, hear };
}

test('a page and a program talk, a line a message', async () => {
  const guarded = await startScene();
  const page = await join(visitorOf(guarded, pageHeaders(guarded)), 'alice', 'text.ircv3.net');
  const program = await join(
    visitorOf(guarded, { authorization: `Bearer ${guarded.token}` }),
    'hatter',
    'binary.ircv3.net',
  );
  expect([page.webSocket.protocol, program.webSocket.protocol]).toEqual([
    'text.ircv3.net',
    'binary.ircv3.net',
  ]);
  page.say('PRIVMSG #tea :καλημέρα');
  await program.hear(/^:alice!\S+ PRIVMSG #tea :καλημέρα$/);
  // One that ends its lines itself is understood.
  program.say('PRIVMSG #tea :no room!\r\n');
  await page.hear(/^:hatter!\S+ PRIVMSG #tea :no room!$/);
  for (const line of [...page.heard, ...program.heard]) expect(line).not.toMatch(/[\r\n]/);
  expect([[...page.kinds], [...program.kinds]]).toEqual([[false], [true]]);
  expect(page.webSocket.readyState).toBe(WebSocket.OPEN);
});

test('two commands in one message are none', async () => {
  const guarded = await startScene();
  const page = await join(visitorOf(guarded, pageHeaders(guarded)), 'alice', 'text.ircv3.net');
  page.say('PRIVMSG #tea :hello\r\nQUIT :gone');
  const ended = await guarded.gateway.logged(({ msg }) => msg === 'session ended');
  expect(ended).toMatchObject({ close: 1007, by: 'client', error: 'INVALID_PAYLOAD' });
});
