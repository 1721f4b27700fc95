import { hkdfSync } from 'node:crypto';

/** As TLS in Node wants them: the name of a key, and what signs and encrypts tickets. */
const KEY_BYTES = 48;

/** The keys of TLS session tickets, as all who know the secret make them. `of` is what the tickets vouch for. */
export function ticketKeysFrom(secret: Uint8Array): (of: string) => Buffer {
  return (of) => Buffer.from(hkdfSync('sha256', secret, '', of, KEY_BYTES));
}
