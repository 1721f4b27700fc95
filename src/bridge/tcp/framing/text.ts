import { StringDecoder } from 'node:string_decoder';
import { TEXT } from '../../../frames/opcodes.ts';
import { Bytes } from './bytes.ts';
import type { Framing, Outlet } from './contract.ts';

/**
 * What the service sends is text, for clients that take no other: cut between two characters, and what is no UTF-8 replaced
 * by U+FFFD, for a text message must be valid (RFC 6455 §8.1). Up it is as bytes.
 */
export class Text implements Framing {
  readonly text = true;
  readonly #bytes = new Bytes(true);
  readonly #decoder = new StringDecoder('utf8');

  frame(): void {}

  payload(bytes: Buffer, from: number, to: number): void {
    this.#bytes.payload(bytes, from, to);
  }

  take(): Buffer | undefined {
    return this.#bytes.take();
  }

  down(chunk: Buffer, client: Outlet): void {
    say(this.#decoder.write(chunk), client);
  }

  rest(client: Outlet): void {
    say(this.#decoder.end(), client);
  }
}

function say(text: string, client: Outlet): void {
  if (text !== '') client.message(TEXT, Buffer.from(text));
}
