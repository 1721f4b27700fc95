import { type Dialogue, invalid, withoutTls } from './dialogue.ts';

/** SMTP over TLS (RFC 3207). The client gets the greeting, which the service says but once, and greets the service itself. */
export async function smtp(dialogue: Dialogue): Promise<Buffer> {
  const greeting = await reply(dialogue, '220');
  dialogue.say('EHLO [127.0.0.1]\r\n');
  const offers = await reply(dialogue, '250');
  if (!/^250[ -]STARTTLS\r?$/im.test(offers)) throw withoutTls('SMTP offers no STARTTLS');
  dialogue.say('STARTTLS\r\n');
  await reply(dialogue, '220');
  return Buffer.from(greeting, 'latin1');
}

/** All lines of a reply (RFC 5321 §4.2.1), which must begin with `code`. */
async function reply(dialogue: Dialogue, code: string): Promise<string> {
  let lines = '';
  for (;;) {
    const line = await dialogue.line();
    if (!line.startsWith(code)) throw invalid(`SMTP has answered ${line.slice(0, 3).replace(/\W/g, '?')}`);
    lines += line;
    if (line[3] !== '-') return lines;
  }
}
