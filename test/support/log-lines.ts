import { Writable } from 'node:stream';

/** A destination of a logger: every line, parsed. */
export class LogLines extends Writable {
  readonly parsed: Record<string, unknown>[] = [];
  /** All of them, as written. */
  text = '';
  #waiting: (() => void)[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    for (const line of chunk.toString().split('\n')) {
      if (line !== '') this.parsed.push(JSON.parse(line) as Record<string, unknown>);
    }
    for (const look of this.#waiting) look();
    done();
  }

  get last(): string {
    return JSON.stringify(this.parsed.at(-1));
  }

  find(fits: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
    return new Promise((resolve) => {
      const look = () => {
        const line = this.parsed.find(fits);
        if (line === undefined) return;
        this.#waiting = this.#waiting.filter((other) => other !== look);
        resolve(line);
      };
      this.#waiting.push(look);
      look();
    });
  }
}
