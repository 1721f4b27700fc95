/** Undoes what has been opened, the last first. */
export class Closers {
  readonly #undo: (() => void | Promise<void>)[] = [];

  add(undo: () => void | Promise<void>): void {
    this.#undo.push(undo);
  }

  async run(): Promise<void> {
    for (const undo of this.#undo.splice(0).reverse()) await undo();
  }
}
