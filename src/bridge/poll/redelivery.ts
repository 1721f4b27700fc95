import type { Traffic } from '../contract.ts';
import type { Message } from './profile.ts';
import { Unconfirmed } from './unconfirmed.ts';

/** A client as messages reach it. */
export interface Receiver {
  /** Messages its socket has taken whole. */
  readonly taken: Pick<Traffic, 'messages'>;
  /** Resolves when its socket has the messages; with false if none may be sent any more. */
  deliver(messages: readonly Message[]): Promise<boolean>;
  /** Resolves with true when it has read what was sent to it; with false when `signal` aborts. */
  confirm(signal: AbortSignal): Promise<boolean>;
}

export interface RedeliveryOptions {
  /** Bytes of messages that may be kept for a client: beyond it no more are taken. */
  readonly limit: number;
  /** Unless it says what it has, a client gets again what it has not confirmed; else, what no socket has taken. */
  readonly repeatsUnconfirmed: boolean;
}

/** A receiver that is there now. */
interface Current {
  readonly receiver: Receiver;
  /** Messages of the session before the first it is sent. */
  readonly from: number;
  readonly gone: AbortController;
  isWriting: boolean;
  isAsking: boolean;
}

/**
 * Brings the messages of one session to whichever client it has, and keeps those that no client has confirmed yet: by the
 * answer to a ping sent behind them. One ping at a time, and none while nothing is on its way.
 *
 *     away ⇄ present → over
 */
export class Redelivery {
  readonly #options: RedeliveryOptions;
  readonly #unconfirmed = new Unconfirmed();
  #current: Current | undefined;
  /** While nobody is there: messages that sockets have taken. */
  #taken = 0;
  #isOver = false;
  /** Resolves when something has changed that may be waited for. */
  #change = Promise.withResolvers<void>();

  constructor(options: RedeliveryOptions) {
    this.#options = options;
  }

  /** What a client says it has received can be gone on from: nothing is missing in between. */
  canResume(received: number | undefined): boolean {
    const { first, end } = this.#unconfirmed;
    return !this.#isOver && (received === undefined || (received >= first && received <= end));
  }

  /** A client is there, in place of any before it; it is sent what is behind the first `received` messages. */
  attach(receiver: Receiver, received?: number): void {
    this.detach();
    if (received !== undefined) this.#unconfirmed.confirm(received);
    const from = received ?? (this.#options.repeatsUnconfirmed ? this.#unconfirmed.first : this.#taken);
    this.#current = { receiver, from, gone: new AbortController(), isWriting: false, isAsking: false };
    void this.#write(this.#current);
    this.#notify();
  }

  /** The client is gone. Again is a no-op. */
  detach(): void {
    if (this.#current === undefined) return;
    this.#taken = takenBy(this.#current);
    this.#current.gone.abort();
    this.#current = undefined;
    this.#notify();
  }

  /** Nothing is delivered any more, and nothing kept. */
  end(): void {
    this.detach();
    this.#isOver = true;
    this.#unconfirmed.clear();
    this.#notify();
  }

  /**
   * Resolves with true when the client's socket has the messages or, while there is no client, when they are kept for it,
   * and there is room for more. With false if the session is over.
   */
  deliver(messages: readonly Message[]): Promise<boolean> {
    if (this.#isOver) return Promise.resolve(false);
    this.#unconfirmed.add(messages);
    const { end } = this.#unconfirmed;
    if (this.#current !== undefined) void this.#write(this.#current);
    return this.#until(() => this.#hasRoom && (this.#current === undefined || takenBy(this.#current) >= end));
  }

  /** Resolves with true when a client has confirmed what was delivered before, with false if none will. */
  confirmed(): Promise<boolean> {
    const { end } = this.#unconfirmed;
    return this.#until(() => this.#unconfirmed.first >= end);
  }

  /** Resolves when a client's socket has all that was delivered, or the session is over. */
  async settled(): Promise<void> {
    const { end } = this.#unconfirmed;
    await this.#until(() => this.#current !== undefined && takenBy(this.#current) >= end);
  }

  get #hasRoom(): boolean {
    return this.#unconfirmed.bytes <= this.#options.limit;
  }

  async #until(isSo: () => boolean): Promise<boolean> {
    while (!this.#isOver) {
      if (isSo()) return true;
      await this.#change.promise;
    }
    return false;
  }

  #notify(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  /** Writes what the client has not been sent yet. One at a time for each. */
  async #write(current: Current): Promise<void> {
    if (current.isWriting) return;
    current.isWriting = true;
    while (this.#current === current) {
      const waiting = this.#unconfirmed.from(takenBy(current));
      if (waiting.length === 0 || !(await current.receiver.deliver(waiting))) break;
      this.#notify();
      void this.#ask(current);
    }
    current.isWriting = false;
  }

  /** Asks the client for a sign that it has what it was sent, until it has given one for all of it. */
  async #ask(current: Current): Promise<void> {
    if (current.isAsking) return;
    current.isAsking = true;
    while (this.#current === current && this.#unconfirmed.first < takenBy(current)) {
      const asked = takenBy(current);
      if (!(await current.receiver.confirm(current.gone.signal)) || this.#current !== current) break;
      this.#unconfirmed.confirm(asked);
      this.#notify();
    }
    current.isAsking = false;
  }
}

/** Messages of the session that sockets have taken, or that it had before. */
function takenBy({ from, receiver }: Current): number {
  return from + receiver.taken.messages;
}
