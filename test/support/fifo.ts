import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;

/** A pipe with a reader that does nothing until it is told to; gone when the test is over. */
export class Fifo {
  /** The end to write to, which a child process may be given. */
  readonly writer: number;
  readonly #path: string;
  #reader: number | undefined;

  /** `flags` are those of the writer, e.g. O_NONBLOCK. */
  constructor(flags = 0) {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-fifo-'));
    this.#path = join(folder, 'fifo');
    execFileSync('mkfifo', [this.#path]);
    this.openReader();
    this.writer = openSync(this.#path, O_WRONLY | flags);
    onTestFinished(() => {
      this.closeReader();
      closeSync(this.writer);
      rmSync(folder, { recursive: true });
    });
  }

  openReader(): void {
    this.#reader = openSync(this.#path, O_RDONLY | O_NONBLOCK);
  }

  /** What is written from now on fails with EPIPE. */
  closeReader(): void {
    if (this.#reader !== undefined) closeSync(this.#reader);
    this.#reader = undefined;
  }

  /** Everything that is in it now. */
  read(): string {
    const parts: Buffer[] = [];
    for (;;) {
      const part = this.take();
      if (part.length === 0) return Buffer.concat(parts).toString();
      parts.push(part);
    }
  }

  /** At most `bytes` of what is in it now. */
  take(bytes = 64 * 1024): Buffer {
    const buffer = Buffer.alloc(bytes);
    try {
      return buffer.subarray(0, readSync(this.#reader as number, buffer));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return Buffer.alloc(0);
      throw error;
    }
  }
}
