import { type Dialogue, invalid, withoutTls } from './dialogue.ts';

/** IMAP's STARTTLS (RFC 9051 §6.2.1). The client gets the greeting, which the service says but once, without what it can do: over TLS that is another matter. */
export async function imap(dialogue: Dialogue): Promise<Buffer> {
  const greeting = await dialogue.line();
  if (!greeting.startsWith('* OK')) throw invalid('no IMAP service has answered');
  dialogue.say('tls STARTTLS\r\n');
  for (;;) {
    const line = await dialogue.line();
    if (line.startsWith('* ')) continue;
    if (line.startsWith('tls OK'))
      return Buffer.from(greeting.replace(/\[CAPABILITY[^\]]*\] ?/i, ''), 'latin1');
    throw withoutTls('IMAP refuses STARTTLS');
  }
}
