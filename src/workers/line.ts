import { GatewayError } from '../errors.ts';
import { faultOf, thrownOf, type WrittenFault } from './fault.ts';
import type { Way } from './processes.ts';

/** Whoever is asked has so many milliseconds, unless more is said. */
const WITHIN_MS = 5_000;
/** A deadline that is later than that finds this process to have stood still: what came meanwhile is read only then. */
const LATE_MS = 50;
/** Questions that may be open at a time: beyond it there is no sense in one more. */
const MOST_OPEN = 10_000;

export type Answerer = (what: never) => unknown;

type Frame =
  | { readonly kind: 'question'; readonly id: number; readonly topic: string; readonly what: unknown }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'fault'; readonly id: number; readonly fault: WrittenFault }
  | { readonly kind: 'word'; readonly topic: string; readonly what: unknown };

interface Open {
  resolve(value: unknown): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

/** Questions, answers and words between a primary and a worker, both of which may begin. */
export class Line {
  readonly #way: Way;
  readonly #answerers = new Map<string, Answerer>();
  readonly #open = new Map<number, Open>();
  #asked = 0;
  #isClosed = false;

  constructor(way: Way) {
    this.#way = way;
    way.onMessage((message) => this.#onFrame(message as Frame));
    way.onClosed(() => this.#close());
  }

  /** How the other's questions and words about a topic are answered; of words the answer is lost. */
  answer(topic: string, answerer: Answerer): void {
    this.#answerers.set(topic, answerer);
  }

  /** Rejects with what the other has thrown, and where no answer comes in time, or can. */
  ask(topic: string, what?: unknown, withinMs = WITHIN_MS): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(new Error('the other process is gone'));
    if (this.#open.size >= MOST_OPEN) return Promise.reject(new Error('too many questions are open'));
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      this.#open.set(id, { resolve, reject, timer: this.#deadline(id, withinMs) });
      this.#send({ kind: 'question', id, topic, what });
    });
  }

  /** The time in which this process stood still is none that the other had. */
  #deadline(id: number, withinMs: number, leftMs = withinMs): NodeJS.Timeout {
    const due = performance.now() + leftMs;
    return setTimeout(() => {
      const lateMs = performance.now() - due;
      const open = this.#open.get(id);
      if (open === undefined) return;
      if (lateMs > LATE_MS) open.timer = this.#deadline(id, withinMs, Math.min(lateMs, withinMs));
      else this.#fail(id, new Error(`no answer in ${withinMs} ms`));
    }, leftMs);
  }

  /** Tells the other, which need not answer. */
  say(topic: string, what?: unknown): void {
    if (!this.#isClosed) this.#send({ kind: 'word', topic, what });
  }

  #send(frame: Frame): void {
    this.#way.send(frame);
  }

  #onFrame(frame: Frame): void {
    if (frame.kind === 'question') this.#onQuestion(frame);
    else if (frame.kind === 'word') void this.#answerTo(frame.topic, frame.what).catch(() => undefined);
    else if (frame.kind === 'answer') this.#take(frame.id)?.resolve(frame.value);
    else if (frame.kind === 'fault') this.#fail(frame.id, thrownOf(frame.fault));
  }

  #onQuestion({ id, topic, what }: Extract<Frame, { kind: 'question' }>): void {
    this.#answerTo(topic, what).then(
      (value) => this.#send({ kind: 'answer', id, value }),
      (thrown) => this.#send({ kind: 'fault', id, fault: faultOf(thrown) }),
    );
  }

  async #answerTo(topic: string, what: unknown): Promise<unknown> {
    const answerer = this.#answerers.get(topic);
    if (answerer === undefined) throw new GatewayError('INTERNAL', { detail: `nobody answers to ${topic}` });
    return answerer(what as never);
  }

  #take(id: number): Open | undefined {
    const open = this.#open.get(id);
    this.#open.delete(id);
    clearTimeout(open?.timer);
    return open;
  }

  #fail(id: number, error: Error): void {
    this.#take(id)?.reject(error);
  }

  #close(): void {
    this.#isClosed = true;
    for (const id of [...this.#open.keys()]) this.#fail(id, new Error('the other process is gone'));
  }
}
