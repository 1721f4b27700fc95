import type { Duplex } from 'node:stream';
import { GatewayError } from '../errors.ts';
import { linger } from '../stream/linger.ts';

/** Sent by a client that nobody reads from yet, it is kept waiting beyond this. */
const MOST_WAITING_BYTES = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/** Takes bytes as they come. Returns what is left of them once no more are wanted; throws a GatewayError. */
export type Listener = (chunk: Buffer) => Buffer | undefined;

/**
 * A client whose 101 is out, and that no bridge has yet. It is read from, so that its leaving is seen.
 *
 *     listening ⇄ kept waiting (what it sends is kept, then left to wait) → released (somebody else's) | closed
 */
export class WaitingClient {
  readonly #socket: Duplex;
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #left = false;
  #hasParted = false;
  #chunks: Buffer[] = [];
  #length = 0;
  /** Hears what comes; undefined while it is kept. */
  #listener: Listener | undefined;
  #end: { resolve(): void; reject(error: unknown): void } | undefined;

  /** The socket is paused and watched by nobody; `early` is what had been read from it. */
  constructor(socket: Duplex, early: Buffer) {
    this.#socket = socket;
    this.#keep(early);
    socket.on('data', this.#onData).on('end', this.#onGone).on('close', this.#onGone).resume();
  }

  /** Aborts when it leaves, when the time that `allow` gives is up, and when it is dismissed. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }
  get gone(): boolean {
    return this.#left || this.#socket.destroyed;
  }
  /** What has come behind all that was listened to. */
  get early(): Buffer {
    return this.#length === 0 ? NOTHING : Buffer.concat(this.#chunks);
  }

  write(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  allow(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(), ms);
  }

  /**
   * Resolves when `listener` has had enough. Rejects with what it throws, with `late()` after `ms`, with CLIENT_LOST, or with
   * what `dismiss` is given.
   */
  async listen(listener: Listener, ms: number, late: () => GatewayError): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(late()), ms);
    this.#end = { resolve, reject };
    this.#listener = listener;
    try {
      if (this.gone) this.#onGone();
      const { early } = this;
      this.#chunks = [];
      this.#length = 0;
      if (early.length > 0) this.#onData(early);
      await promise;
    } finally {
      clearTimeout(timer);
      this.#listener = undefined;
      this.#end = undefined;
    }
  }

  /** Whoever listens is given this error, and who waits for somebody else gives up. */
  dismiss(error: GatewayError): void {
    this.#end?.reject(error);
    this.#controller.abort();
  }

  /** Hands the socket over, paused and watched by nobody. */
  release(): Duplex {
    this.#stopWatching();
    return this.#socket.pause();
  }

  /** Answers its Close: nothing else is said to it any more (RFC 6455 §5.5.1). */
  part(answer: Buffer): void {
    this.write(answer);
    this.#hasParted = true;
    this.#left = true;
  }

  /** Writes its last words, and ends the connection, at the latest after `ms`. */
  close(words: Buffer, ms: number): void {
    this.#stopWatching();
    if (!this.#hasParted) this.write(words);
    void linger(this.#socket, ms);
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#listener === undefined) {
      this.#keep(chunk);
      return;
    }
    // Many pings may come at once: what answers them goes out in one write.
    this.#socket.cork();
    try {
      const rest = this.#listener(chunk);
      if (rest === undefined) return;
      this.#listener = undefined;
      this.#keep(rest);
      this.#end?.resolve();
    } catch (error) {
      this.#listener = undefined;
      this.#end?.reject(error);
    } finally {
      this.#socket.uncork();
    }
  };

  #keep(chunk: Buffer): void {
    if (chunk.length > 0) this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length > MOST_WAITING_BYTES) this.#socket.pause();
  }

  readonly #onGone = (): void => {
    this.#left = true;
    this.#end?.reject(new GatewayError('CLIENT_LOST', { detail: 'before its first message' }));
    this.#controller.abort();
  };

  #stopWatching(): void {
    clearTimeout(this.#timer);
    this.#socket.off('data', this.#onData).off('end', this.#onGone).off('close', this.#onGone);
  }
}
