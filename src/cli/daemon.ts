import { type Context, EXIT } from './context.ts';

/** The part of a gateway that a daemon needs. */
interface Closable {
  close(options?: { deadlineMs?: number }): Promise<void>;
}

/** The part of a logger that a daemon needs. */
interface Log {
  info(details: object, message: string): void;
  fatal(details: object, message: string): void;
  flush(done: () => void): void;
}

/**
 * Keeps a running gateway company until it is to end: the first SIGTERM or SIGINT closes it (exit code 0), a second
 * one does not wait for that (1), and neither does what nobody caught (logged, 1). The log is flushed while signals are
 * still heard, so that one more of them does not change the exit code. Never rejects.
 */
export function untilStopped(context: Context, gateway: Closable, logger: Log): Promise<number> {
  return new Promise<number>((resolve) => {
    let closing = false;
    const undo = [context.onSignal(onSignal), context.onCrash(onCrash)];

    function onSignal(signal: string): void {
      if (closing) {
        finish(EXIT.failure);
        return;
      }
      closing = true;
      logger.info({ signal }, 'closing; a second signal ends at once');
      gateway.close().then(() => finish(EXIT.ok), onCrash);
    }

    function onCrash(error: unknown): void {
      logger.fatal({ err: error }, 'unforeseen failure');
      finish(EXIT.failure);
    }

    function finish(code: number): void {
      logger.flush(function end() {
        for (const each of undo) each();
        resolve(code);
      });
    }
  });
}
