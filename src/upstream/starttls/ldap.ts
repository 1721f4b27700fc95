import { type Dialogue, invalid, withoutTls } from './dialogue.ts';

/** LDAPMessage 1 with an ExtendedRequest of this name (RFC 4511 §4.14). */
const NAME = '1.3.6.1.4.1.1466.20037';
const REQUEST = Buffer.from([
  0x30,
  NAME.length + 7,
  0x02,
  1,
  1,
  0x77,
  NAME.length + 2,
  0x80,
  NAME.length,
  ...Buffer.from(NAME),
]);
const [SEQUENCE, EXTENDED_RESPONSE, ENUMERATED] = [0x30, 0x78, 0x0a];

/** The answer's resultCode says whether TLS begins; the client's own messages may be numbered as they like. */
export async function ldap(dialogue: Dialogue): Promise<undefined> {
  dialogue.say(REQUEST);
  const message = await element(dialogue);
  const at = message.indexOf(EXTENDED_RESPONSE);
  // Behind the response's length, which has one byte or says how many more it has, comes the code.
  const code = message.indexOf(ENUMERATED, at + 1);
  if (at < 0 || code < 0 || message[code + 1] !== 1) throw invalid('no LDAP service has answered');
  if (message[code + 2] !== 0)
    throw withoutTls(`LDAP has answered StartTLS with result ${message[code + 2]}`);
}

/** The content of one element in BER (X.690 §8.1). */
async function element(dialogue: Dialogue): Promise<Buffer> {
  const [tag, short = 0] = await dialogue.bytes(2);
  if (tag !== SEQUENCE) throw invalid('no LDAP service has answered');
  if (short < 0x80) return dialogue.bytes(short);
  const count = short & 0x7f;
  if (count === 0 || count > 2) throw invalid('LDAP has answered with a length that is none');
  return dialogue.bytes((await dialogue.bytes(count)).readUIntBE(0, count));
}
