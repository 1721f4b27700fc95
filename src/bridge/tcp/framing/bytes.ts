import { BINARY } from '../../../frames/opcodes.ts';
import { Gathered } from '../gathered.ts';
import type { Framing, Outlet } from './contract.ts';

/** Bytes as they come: messages mean nothing on their way up, and each read makes a binary one on its way down. */
export class Bytes implements Framing {
  readonly text: boolean;
  readonly #gathered = new Gathered();

  constructor(text: boolean) {
    this.text = text;
  }

  frame(): void {}

  payload(bytes: Buffer, from: number, to: number): void {
    this.#gathered.add(bytes, from, to);
  }

  take(): Buffer | undefined {
    return this.#gathered.take();
  }

  down(chunk: Buffer, client: Outlet): void {
    client.message(BINARY, chunk);
  }

  rest(): void {}
}
