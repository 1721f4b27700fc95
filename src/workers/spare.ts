import { Line } from './line.ts';
import type { WorkerProcess } from './processes.ts';

/** What a worker says once it can take its orders, and by which it gets them. */
export const READY = 'ready';
export const ORDERS = 'orders';

/** A process that is to be a worker: it has begun, and waits for its orders. */
export class Recruit {
  readonly started: WorkerProcess;
  readonly line: Line;
  readonly #ready = Promise.withResolvers<void>();
  #hasOrders = false;

  constructor(started: WorkerProcess) {
    this.started = started;
    this.line = new Line(started.way);
    this.line.answer(READY, () => this.#ready.resolve());
  }

  /** It serves, or will: until then it may still load its code, and hears nothing. */
  get hasOrders(): boolean {
    return this.#hasOrders;
  }

  /** Once. */
  async give(orders: unknown): Promise<void> {
    await this.#ready.promise;
    this.#hasOrders = true;
    this.line.say(ORDERS, orders);
  }
}

/** One that waits with all its code loaded: to begin a process takes longer than clients take to come back. */
export class Spare {
  readonly #fork: () => WorkerProcess;
  #waiting: Recruit | undefined;

  constructor(fork: () => WorkerProcess) {
    this.#fork = fork;
  }

  /** From now on one waits. Again is a no-op. */
  prepare(): void {
    if (this.#waiting !== undefined) return;
    const recruit = new Recruit(this.#fork());
    this.#waiting = recruit;
    void recruit.started.exited.then(() => {
      if (this.#waiting === recruit) this.#waiting = undefined;
    });
  }

  /** The one that waits, or a new one. */
  take(): Recruit {
    const recruit = this.#waiting ?? new Recruit(this.#fork());
    this.#waiting = undefined;
    return recruit;
  }

  /** None waits any more. */
  end(): void {
    this.#waiting?.started.kill();
    this.#waiting = undefined;
  }
}
