import { randomUUID } from 'node:crypto';
import type { Broadcast } from '../commons.ts';
import type { Channel, Message } from './channel.ts';

const WITHIN_MS = 500;

type Answerer = (what: unknown) => unknown;
type Question = Extract<Message, { kind: 'question' }>;

/** A question of this process that is open. */
interface Asking {
  /** Who has not answered yet. */
  readonly awaited: Set<string>;
  readonly answers: unknown[];
  readonly settle: () => void;
}

/** Questions that go to all others by a channel, and whose answers come back on it. */
export class SharedBroadcast implements Broadcast {
  readonly #channel: Channel;
  readonly #answerers = new Map<string, Answerer>();
  readonly #asking = new Map<string, Asking>();

  constructor(channel: Channel) {
    this.#channel = channel;
    channel.onTold((message, from) => {
      if (message.kind === 'question') void this.#onQuestion(message as Question);
      if (message.kind === 'answer') this.#onAnswer(message, from);
    });
  }

  async ask(topic: string, what: unknown, withinMs = WITHIN_MS): Promise<readonly unknown[]> {
    const own = this.#answerTo(topic, what);
    const id = randomUUID();
    const others = this.#collect(id, withinMs);
    this.#channel.tell({ kind: 'question', id, topic, what });
    return [await own, ...(await others)].filter((answer) => answer !== undefined);
  }

  answer(topic: string, answerer: Answerer): () => void {
    this.#answerers.set(topic, answerer);
    return () => {
      if (this.#answerers.get(topic) === answerer) this.#answerers.delete(topic);
    };
  }

  /** Nobody is waited for any more. */
  close(): void {
    for (const { settle } of this.#asking.values()) settle();
  }

  /** Resolves when all that are known have answered, or time is up. */
  #collect(id: string, withinMs: number): Promise<readonly unknown[]> {
    const awaited = new Set(this.#channel.others);
    if (awaited.size === 0) return Promise.resolve([]);
    const answers: unknown[] = [];
    return new Promise((resolve) => {
      const timer = setTimeout(settle, withinMs);
      this.#asking.set(id, { awaited, answers, settle });
      const asking = this.#asking;
      function settle(): void {
        clearTimeout(timer);
        asking.delete(id);
        resolve(answers);
      }
    });
  }

  #onAnswer({ id, what }: Partial<Extract<Message, { kind: 'answer' }>>, from: string): void {
    const asking = this.#asking.get(String(id));
    // The first counts: a question may have come twice.
    if (!asking?.awaited.delete(from)) return;
    asking.answers.push(what);
    if (asking.awaited.size === 0) asking.settle();
  }

  async #onQuestion({ id, topic, what }: Question): Promise<void> {
    this.#channel.tell({ kind: 'answer', id, what: await this.#answerTo(topic, what) });
  }

  /** In the same turn of the event loop. Who fails has no answer. */
  async #answerTo(topic: string, what: unknown): Promise<unknown> {
    try {
      return await this.#answerers.get(topic)?.(what);
    } catch {
      return undefined;
    }
  }
}
