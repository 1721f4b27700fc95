import type { Socket } from 'node:net';
import { resetSocket } from '../../stream/reset.ts';
import type { Context } from '../context.ts';
import type { Course } from './carry.ts';
import { sentence } from './sentences.ts';

/** One connection of a program on this machine; its signal aborts when the command ends. */
export interface Visit extends Course {
  readonly socket: Socket;
  /** A line about it, for a person at the terminal. */
  tell(text: string): void;
}

/** Resolves when both directions have ended; the visitor gets a reset where it rejects. */
export type Serve = (visit: Visit) => Promise<void>;

type Console = Pick<Context, 'stderr' | 'isErrorTTY'>;

/** The connections that are open, so many at a time. */
export class Visits {
  readonly #console: Console;
  readonly #max: number;
  readonly #running = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #isFull = false;

  constructor(console: Console, max: number) {
    this.#console = console;
    this.#max = max;
  }

  /** `name` is what lines about it begin with. */
  begin(socket: Socket, name: string, serve: Serve): void {
    if (this.#running.size >= this.#max) {
      this.#turnAway(socket);
      return;
    }
    this.#isFull = false;
    const visit = this.#run(socket, name, serve).finally(() => this.#running.delete(visit));
    this.#running.add(visit);
  }

  /** Breaks them all, and resolves when they have ended. */
  async end(): Promise<void> {
    this.#stop.abort(new Error('the command ends'));
    await Promise.all(this.#running);
  }

  /** Said once, not for each of them. */
  #turnAway(socket: Socket): void {
    resetSocket(socket);
    if (!this.#isFull) this.#complain(`more than ${this.#max} connections at a time are refused; see --max`);
    this.#isFull = true;
  }

  async #run(socket: Socket, name: string, serve: Serve): Promise<void> {
    const { signal } = this.#stop;
    const visit = { socket, signal, traffic: { up: 0, down: 0 }, tell: this.#teller(name) };
    const startMs = performance.now();
    try {
      await serve(visit);
      socket.destroySoon();
      visit.tell(`ended ${numbers(visit, startMs)}`);
    } catch (error) {
      // Who has been told all there is, such as a SOCKS client why not, need not lose it by a reset.
      if (socket.writableEnded) socket.destroySoon();
      else resetSocket(socket);
      if (signal.aborted) return;
      if (isGone(error)) visit.tell(`left ${numbers(visit, startMs)}`);
      else this.#complain(`${name}: ${sentence(error)}`);
    }
  }

  #teller(name: string): (text: string) => void {
    const { stderr, isErrorTTY } = this.#console;
    return (text) => {
      if (isErrorTTY) stderr.write(`${name} ${text}\n`);
    };
  }

  #complain(text: string): void {
    this.#console.stderr.write(`sallyport: ${text}\n`);
  }
}

function numbers({ traffic }: Visit, startMs: number): string {
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  return `after ${seconds} s: ${traffic.up} bytes up, ${traffic.down} bytes down`;
}

/** The program on this machine has broken its connection, which is its own affair. */
function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE';
}
