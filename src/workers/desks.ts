import type { Desks } from '../gateway/part.ts';
import type { Line } from './line.ts';

/** What operators ask is answered by the workers, each for itself; the primary asks them, and puts their answers together. */

const READY = 'ready';
const DESK = 'desk';

/** Those whose methods are called by name. */
type DeskName = Exclude<keyof Desks, 'ready'>;
type Method<D extends DeskName> = keyof Desks[D] & string;
type Call = (...args: never[]) => unknown;
type ArgsOf<T> = T extends (...args: infer A) => unknown ? A : never;
type ResultOf<T> = T extends (...args: never[]) => infer R ? Awaited<R> : never;

interface Question {
  readonly desk: DeskName;
  readonly method: string;
  readonly args: readonly never[];
}

/** Has a worker answer what its primary asks. */
export function serveDesks(primary: Line, desks: Desks): void {
  primary.answer(READY, () => desks.ready());
  primary.answer(DESK, ({ desk, method, args }: Question) => {
    const called = desks[desk] as unknown as Readonly<Record<string, Call>>;
    return called[method]?.(...args);
  });
}

export function askReady(worker: Line, withinMs?: number): Promise<ReturnType<Desks['ready']>> {
  return worker.ask(READY, undefined, withinMs) as Promise<ReturnType<Desks['ready']>>;
}

/** Calls a method of a worker's desk. Rejects with what it throws, and where the worker does not answer in time. */
export function askDesk<D extends DeskName, M extends Method<D>>(
  worker: Line,
  desk: D,
  method: M,
  args: ArgsOf<Desks[D][M]>,
  withinMs?: number,
): Promise<ResultOf<Desks[D][M]>> {
  return worker.ask(DESK, { desk, method, args }, withinMs) as Promise<ResultOf<Desks[D][M]>>;
}
