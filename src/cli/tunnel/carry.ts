import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { TcpConnection } from '../../client/index.ts';

/** This side of a tunnel; a socket is both. */
export interface Local {
  readonly input: Readable;
  readonly output: Writable;
}

/** Bytes of a tunnel. */
export interface Traffic {
  up: number;
  down: number;
}

export interface Course {
  readonly traffic: Traffic;
  /** Breaks it when it aborts. */
  readonly signal: AbortSignal;
}

/**
 * Carries bytes both ways, and the end of each direction, until both have ended. Neither side sends more than the other takes.
 * Rejects when the tunnel breaks, or this side does; what is left of either is the caller's.
 */
export async function carry(
  local: Local,
  connection: TcpConnection,
  { traffic, signal }: Course,
): Promise<void> {
  const broken = Promise.withResolvers<never>();
  const onAbort = () => broken.reject(signal.reason);
  const ends = [local.input, local.output];
  for (const end of ends) end.on('error', broken.reject);
  signal.addEventListener('abort', onAbort);
  try {
    // A relay of plain messages ends both directions at once: nobody waits for the rest of the input then.
    const sent = Promise.race([send(local, connection, traffic), connection.closed]);
    const received = receive(local, connection, traffic);
    await Promise.race([broken.promise, Promise.all([received, sent, connection.closed])]);
  } finally {
    for (const end of ends) end.off('error', broken.reject);
    signal.removeEventListener('abort', onAbort);
  }
}

async function send({ input }: Local, { writable }: TcpConnection, traffic: Traffic): Promise<void> {
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  for await (const chunk of input.iterator({ destroyOnReturn: false })) {
    traffic.up += chunk.length;
    await writer.write(chunk);
  }
  await writer.close();
}

async function receive({ output }: Local, { readable }: TcpConnection, traffic: Traffic): Promise<void> {
  const reader = readable.getReader();
  reader.closed.catch(() => {});
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    traffic.down += value.length;
    if (!output.write(value)) await once(output, 'drain');
  }
  output.end();
  await finished(output, { readable: false });
}
