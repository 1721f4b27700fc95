import { readFileSync, statSync } from 'node:fs';
import { isToken } from '../http/fields.ts';

/** Where the credential of a gateway stands in a request. */
export type CredentialPlace = 'header' | 'query' | 'subprotocol';

/** A text that is printed by nobody who prints what holds it. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toJSON(): string {
    return '[secret]';
  }
}

/** The file of a credential cannot be used; the message says which and why, and nothing of what it holds. */
export class CredentialError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CredentialError';
  }
}

/** Far above any key there is, and as much as most servers take in one field. */
const MAX_BYTES = 8 * 1024;
const VISIBLE = /^[!-~](?:[ -~]*[!-~])?$/;

/** What is wrong with a credential as it is to stand in a place, in words; undefined if nothing is. */
export function credentialFault(text: string, place: CredentialPlace): string | undefined {
  if (text.length > MAX_BYTES) return 'is larger than 8 KiB';
  if (place === 'subprotocol')
    return isToken(text) ? undefined : 'is not one line of the characters that a subprotocol may have';
  return VISIBLE.test(text) ? undefined : 'is not one line of visible ASCII characters';
}

/**
 * Reads the file of a credential for a place, less one newline at its end. Throws CredentialError if there is none that can
 * be used.
 */
export function readCredential(file: string, place: CredentialPlace): string {
  const text = readText(file).replace(/\r?\n$/, '');
  const fault = text === '' ? 'is empty' : credentialFault(text, place);
  if (fault !== undefined) throw new CredentialError(`${file} ${fault}`);
  return text;
}

function readText(file: string): string {
  try {
    const stats = statSync(file);
    // A pipe would block, and a device need not end.
    if (!stats.isFile()) throw new CredentialError(`${file} is not a file`);
    if (stats.size > MAX_BYTES + 2) throw new CredentialError(`${file} is larger than 8 KiB`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof CredentialError) throw error;
    throw new CredentialError(`cannot read ${file}: ${(error as NodeJS.ErrnoException).code}`);
  }
}
