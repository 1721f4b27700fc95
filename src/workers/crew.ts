import type { Line } from './line.ts';
import { Pauses } from './pauses.ts';
import type { Exit, WorkerProcess } from './processes.ts';
import { type Recruit, Spare } from './spare.ts';

/** A worker of the crew. */
export interface Member {
  /** From 1; one that takes another's place has its number. */
  readonly number: number;
  /** Of this process: no other has it, before or after. */
  readonly name: string;
  readonly pid: number;
  readonly line: Line;
  /** It takes connections. */
  readonly isListening: boolean;
}

/** Hears how the workers do. */
export interface CrewObserver {
  /** One has begun; its line is to be served. What is returned is called when it is gone. */
  began(member: Member): () => void;
  listening(member: Member): void;
  /** One has ended that was not told to; another takes its place in so many milliseconds. `why` is what it has said of it. */
  died(member: Member, exit: Exit, pauseMs: number, why: string | undefined): void;
}

interface CrewOptions {
  readonly size: number;
  readonly fork: () => WorkerProcess;
  /** What the worker of a number is to do. */
  readonly orders: (number: number) => unknown;
  readonly observer: CrewObserver;
}

/** Why a worker could not begin: as it is to be said to the person at the terminal. */
export interface Failure {
  readonly text: string;
  readonly exitCode: number;
}

/** The crew cannot begin. */
export class CrewError extends Error {
  readonly exitCode: number;

  constructor({ text, exitCode }: Failure) {
    super(text);
    this.name = 'CrewError';
    this.exitCode = exitCode;
  }
}

/** So long workers that are to end at once have for their last lines. */
const END_MS = 1_000;

interface Entry extends Member {
  isListening: boolean;
  failure?: string;
  readonly recruit: Recruit;
}

/**
 * The workers of a primary. One that dies is replaced at once, by a spare one, or after a pause if it keeps dying, until the crew is to end.
 *
 * ```
 * starting ──all listen──▶ running ──close──▶ closing ──all have ended──▶ closed
 *     └──one has failed──▶ closed
 * ```
 */
export class Crew {
  readonly #options: CrewOptions;
  readonly #spare: Spare;
  readonly #members = new Map<number, Entry>();
  readonly #pauses = new Map<number, Pauses>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #started = Promise.withResolvers<readonly unknown[]>();
  #state: 'starting' | 'running' | 'closing' = 'starting';
  #begun = 0;
  #onEmpty: (() => void) | undefined;

  constructor(options: CrewOptions) {
    this.#options = options;
    this.#spare = new Spare(options.fork);
  }

  /** Those there are now. */
  [Symbol.iterator](): Iterator<Member> {
    return this.#members.values();
  }

  get size(): number {
    return this.#options.size;
  }

  get isStarting(): boolean {
    return this.#state === 'starting';
  }

  get isClosing(): boolean {
    return this.#state === 'closing';
  }

  /** Starts all. Resolves when they listen, with the addresses that they share; rejects with CrewError if one cannot, and all have ended then. */
  async start(): Promise<readonly unknown[]> {
    for (let number = 1; number <= this.#options.size; number++) this.#begin(number);
    try {
      return await this.#started.promise;
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  /** Tells all what a signal says. */
  tell(topic: string): void {
    for (const { line } of this) line.say(topic);
  }

  /** All are to end: they close their connections first, and those that have not in `withinMs` are ended. Resolves when they have. */
  close(withinMs: number): Promise<void> {
    return this.#leave('close', withinMs);
  }

  /** All are to end at once. Again is a no-op. */
  end(): Promise<void> {
    return this.#leave('end', END_MS);
  }

  async #leave(topic: string, withinMs: number): Promise<void> {
    this.#state = 'closing';
    this.#spare.end();
    for (const timer of this.#timers) clearTimeout(timer);
    if (this.#members.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#onEmpty;
    this.#onEmpty = () => {
      before?.();
      resolve();
    };
    this.tell(topic);
    this.#kill(({ recruit }) => !recruit.hasOrders);
    const timer = setTimeout(() => this.#kill(() => true), withinMs);
    await promise;
    clearTimeout(timer);
  }

  #kill(isMeant: (member: Entry) => boolean): void {
    for (const member of this.#members.values()) if (isMeant(member)) member.recruit.started.kill();
  }

  #begin(number: number): void {
    const recruit = this.#spare.take();
    const { started, line } = recruit;
    const name = `${number}.${++this.#begun}`;
    const member: Entry = { number, name, pid: started.pid, line, isListening: false, recruit };
    this.#members.set(number, member);
    this.#pausesOf(number).begin();
    const onGone = this.#options.observer.began(member);
    started.way.onClosed(onGone);
    line.answer('listening', (addresses: readonly unknown[]) => this.#onListening(member, addresses));
    line.answer('failed', (failure: Failure) => {
      member.failure = failure.text;
      this.#started.reject(new CrewError(failure));
    });
    void started.exited.then((exit) => this.#onExit(member, exit));
    void recruit.give(this.#options.orders(number));
  }

  #onListening(member: Entry, addresses: readonly unknown[]): void {
    member.isListening = true;
    this.#options.observer.listening(member);
    const listening = [...this.#members.values()].filter(({ isListening }) => isListening);
    if (this.#state === 'closing' || listening.length < this.size) return;
    this.#state = 'running';
    this.#started.resolve(addresses);
    this.#spare.prepare();
  }

  #onExit(member: Entry, exit: Exit): void {
    const { number } = member;
    this.#members.delete(number);
    if (this.#state === 'closing') {
      if (this.#members.size === 0) this.#onEmpty?.();
      return;
    }
    if (this.#state === 'starting') {
      // Unless it has said why.
      this.#started.reject(
        new CrewError({ text: `worker ${number} could not start: ${exitText(exit)}`, exitCode: 1 }),
      );
      return;
    }
    const pauseMs = this.#pausesOf(number).next();
    const why = member.failure ?? exit.why ?? (hasBegun(exit) ? undefined : exitText(exit));
    this.#options.observer.died(member, exit, pauseMs, why);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#begin(number);
    }, pauseMs);
    this.#timers.add(timer);
  }

  #pausesOf(number: number): Pauses {
    const pauses = this.#pauses.get(number) ?? new Pauses();
    this.#pauses.set(number, pauses);
    return pauses;
  }
}

function hasBegun({ code, signal }: Exit): boolean {
  return code !== null || signal !== null;
}

function exitText(exit: Exit): string {
  const { code, signal } = exit;
  if (!hasBegun(exit))
    return 'the system starts no process; raise how many there may be (ulimit -u, TasksMax=), or open files (ulimit -n)';
  return signal === null ? `it has ended with ${code}` : `it was ended by ${signal}`;
}
