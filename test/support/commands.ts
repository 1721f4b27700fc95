import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { onTestFinished } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { eventually, within } from './patience.ts';

interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  /** A person reads its stderr. */
  readonly isErrorTTY?: boolean;
}

/** `sallyport` inside this process, for commands that run until they are told to end; ended with the test. */
export class Command {
  out = '';
  err = '';
  readonly input = new PassThrough();
  readonly output = new PassThrough();
  readonly exit: Promise<number>;
  readonly #handlers = new Set<(signal: string) => void>();
  #hungUp = () => {};

  constructor(argv: readonly string[], { env = {}, isErrorTTY = false }: Surroundings = {}) {
    const ignored = () => () => {};
    const heard = (handler: (signal: string) => void) => {
      this.#handlers.add(handler);
      return () => void this.#handlers.delete(handler);
    };
    this.exit = run({
      argv,
      env,
      stdin: this.input,
      stdout: { write: (text) => (this.out += text) },
      stderr: { write: (text) => (this.err += text) },
      isTTY: false,
      isErrorTTY,
      pipe: () => ({ input: this.input, output: this.output }),
      onSignal: heard,
      onReload: (handler) => {
        this.#hungUp = handler;
        return () => {};
      },
      onReopen: ignored,
      onIgnored: ignored,
      onCrash: ignored,
    });
    onTestFinished(() => this.end().then(() => {}));
  }

  /** Tells it to end. Resolves with its exit code. */
  end(): Promise<number> {
    for (const handler of this.#handlers) handler('SIGTERM');
    return within(this.exit, () => `the end of the command, which has said ${this.out}${this.err}`);
  }

  /** SIGHUP. Resolves with its exit code. */
  hangUp(): Promise<number> {
    this.#hungUp();
    return within(this.exit, 'the end of the command');
  }

  /** The ports it listens on, in the order it was told; it says them in its output. */
  async ports(count = 1): Promise<number[]> {
    const ended = this.exit.then((code) => Promise.reject(new Error(`ended with ${code}: ${this.err}`)));
    ended.catch(() => {});
    await Promise.race([eventually(() => this.#ports().length >= count), ended]);
    return this.#ports();
  }

  #ports(): number[] {
    return [...this.out.matchAll(/:(\d+) -> /g)].map(([, port]) => Number(port));
  }
}

/** A program on this machine that may finish while it still hears. */
export function dial(port: number, host = '127.0.0.1'): Socket {
  const socket = connect({ port, host, allowHalfOpen: true }).on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** How a connection ends that is read: with `end`, or the code of its error. */
export async function endOf(socket: Socket): Promise<string> {
  socket.resume();
  const error = once(socket, 'close').catch(({ code }) => code as string);
  const end = once(socket, 'end').then(
    () => 'end',
    ({ code }) => code as string,
  );
  return within(Promise.race([end, error]), 'the end of a connection') as Promise<string>;
}
