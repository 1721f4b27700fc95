import type { Line } from '../../workers/line.ts';
import type { Way } from '../../workers/processes.ts';
import type { Context } from '../context.ts';

type Handler = (signal: string) => void;
type Signals = Pick<Context, 'onSignal' | 'onReload' | 'onReopen' | 'onIgnored'>;

/** What a worker's primary tells it, in the place of signals. */
export class Told {
  readonly #handlers = { close: new Set<Handler>(), reload: new Set<Handler>(), reopen: new Set<Handler>() };
  readonly #end = Promise.withResolvers<undefined>();
  #onGone: (() => void) | undefined;
  #isClosing = false;

  constructor(primary: Line, way: Way) {
    primary.answer('close', () => this.#close());
    primary.answer('end', () => this.#endNow());
    primary.answer('reload', () => call(this.#handlers.reload));
    primary.answer('reopen', () => call(this.#handlers.reopen));
    way.onClosed(() => {
      this.#onGone?.();
      this.#close();
    });
  }

  /** Resolves when it is to end, one way or the other. */
  get toEnd(): Promise<undefined> {
    return this.#end.promise;
  }

  get isToEnd(): boolean {
    return this.#isClosing;
  }

  /** Calls `listener` when there is no primary any more. */
  onGone(listener: () => void): void {
    this.#onGone = listener;
  }

  get signals(): Signals {
    return {
      onSignal: (handler) => listenOn(this.#handlers.close, handler),
      onReload: (handler) => listenOn(this.#handlers.reload, handler),
      onReopen: (handler) => listenOn(this.#handlers.reopen, handler),
      onIgnored: () => () => {},
    };
  }

  /** Once: a second time means at once. */
  #close(): void {
    this.#end.resolve(undefined);
    if (this.#isClosing) return;
    this.#isClosing = true;
    call(this.#handlers.close);
  }

  #endNow(): void {
    this.#close();
    call(this.#handlers.close);
  }
}

function listenOn(handlers: Set<Handler>, handler: Handler): () => void {
  handlers.add(handler);
  return () => void handlers.delete(handler);
}

function call(handlers: Set<Handler>): void {
  for (const handler of [...handlers]) handler('SIGTERM');
}
