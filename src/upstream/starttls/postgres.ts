import type { Dialogue } from './dialogue.ts';
import { invalid, withoutTls } from './dialogue.ts';

/** PostgreSQL's SSLRequest (Frontend/Backend Protocol §53.2.11): a length of 8, and a number that no version has. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/** One letter answers it. The client then begins as in plain text. */
export async function postgres(dialogue: Dialogue): Promise<undefined> {
  dialogue.say(SSL_REQUEST);
  const answer = (await dialogue.bytes(1)).toString('latin1');
  if (answer === 'N') throw withoutTls('PostgreSQL has answered N to SSLRequest');
  if (answer !== 'S') throw invalid('no PostgreSQL has answered');
}
