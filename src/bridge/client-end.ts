import type { Closing, End } from './closing.ts';
import type { Ending } from './contract.ts';

/**
 * The client's end of a session that outlives its clients: none is reached through it, for each has an end of its own. It is
 * through as soon as it is told.
 */
export class ClientEnd implements End {
  readonly name = 'client';
  readonly #closing: Closing;
  readonly #onTold: (ending: Ending) => void;
  isTold = false;

  constructor(closing: Closing, onTold: (ending: Ending) => void) {
    this.#closing = closing;
    this.#onTold = onTold;
  }

  get isFinished(): boolean {
    return this.isTold;
  }

  tell(ending: Ending): void {
    if (this.isTold) return;
    this.isTold = true;
    this.#onTold(ending);
    this.#closing.onClosed(this);
  }

  limit(): void {}

  release(): void {}

  destroy(): void {}

  ping(): void {}

  silence(): undefined {
    return undefined;
  }

  bury(): void {}
}
