import { WebSocket } from 'ws';
import { eventually } from './patience.ts';

/** Upgrades at a steady pace, whatever becomes of them, and what each client saw. */

/** One client: it waits for the first message, holds its session for a while and says goodbye. */
export interface Visit {
  /** Its own, by which the log tells of it. */
  readonly path: string;
  /** On the clock of `performance`. */
  readonly startedAt: number;
  /** From the start to the first message, or to the failure. Undefined: it still waits. */
  durationMs?: number;
  /** The first message. */
  greeting?: string;
  /** What went wrong with the handshake. */
  failure?: string;
  /** The close code; 1000 if all went well. */
  code?: number;
}

/**
 * Opens one session and holds it for `heldMs` after the greeting, or until it is ended by others. What it gives is
 * written as it happens; the promise resolves when the session is over, and never rejects.
 */
export function visit(url: (path: string) => string, path: string, heldMs?: number): [Visit, Promise<void>] {
  const seen: Visit = { path, startedAt: performance.now() };
  const client = new WebSocket(url(path));
  const settle = () => {
    seen.durationMs ??= performance.now() - seen.startedAt;
  };
  client.on('error', (error) => {
    seen.failure = error.message;
    settle();
  });
  client.on('message', (greeting) => {
    seen.greeting = greeting.toString();
    settle();
    if (heldMs !== undefined) setTimeout(() => client.close(1000), heldMs);
  });
  const over = new Promise<void>((resolve) => {
    client.on('close', (code) => {
      seen.code = code;
      settle();
      resolve();
    });
  });
  return [seen, over];
}

export interface Traffic {
  readonly visits: readonly Visit[];
  /** Resolves when so many more visits have begun and been greeted or refused. */
  more(count: number): Promise<void>;
  /** Begins no more. Resolves when all are over. */
  stop(): Promise<void>;
}

/** Begins a visit every `1000 / perSecond` ms at paths that begin with `prefix`. */
export function startTraffic(
  url: (path: string) => string,
  { prefix, perSecond, heldMs }: { prefix: string; perSecond: number; heldMs: number },
): Traffic {
  const visits: Visit[] = [];
  const ends: Promise<void>[] = [];
  const timer = setInterval(() => {
    const [seen, over] = visit(url, `${prefix}/${visits.length}`, heldMs);
    visits.push(seen);
    ends.push(over);
  }, 1000 / perSecond);
  return {
    visits,
    async more(count) {
      const end = visits.length + count;
      const areDone = () =>
        visits.length >= end && visits.slice(end - count, end).every((one) => one.durationMs !== undefined);
      await eventually(areDone, `${count} visits`, (count / perSecond) * 1000 + 10_000);
    },
    async stop() {
      clearInterval(timer);
      await Promise.all(ends);
    },
  };
}
