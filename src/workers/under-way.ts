import type { ChildProcess } from 'node:child_process';

/** A connection as Node hands it on. */
interface Handle {
  close(): void;
}

/** What `node:cluster` says when it hands one over, and when the worker has it (Node's lib/internal/cluster). */
interface Handover {
  readonly act?: string;
  readonly seq?: number;
  readonly ack?: number;
}

/**
 * Closes the connections that were on their way to a worker when it ended. Node forgets them, open as they are, and their clients
 * would wait for as long as they have patience.
 */
export function closeUnderWay(worker: ChildProcess): void {
  const underWay = new Map<number, Handle>();
  const send = worker.send.bind(worker) as (...args: unknown[]) => boolean;
  worker.send = function note(message: Handover, handle?: unknown, ...rest: unknown[]): boolean {
    if (message.act === 'newconn' && message.seq !== undefined && isHandle(handle))
      underWay.set(message.seq, handle);
    return send(message, handle, ...rest);
  };
  worker.on('internalMessage', ({ ack }: Handover) => void underWay.delete(ack ?? -1));
  worker.once('exit', () => {
    for (const handle of underWay.values()) handle.close();
    underWay.clear();
  });
}

function isHandle(value: unknown): value is Handle {
  return typeof (value as Handle | undefined)?.close === 'function';
}
