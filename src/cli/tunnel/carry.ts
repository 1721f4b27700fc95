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

/**
 * Carries bytes both ways, and the end of each direction, until both have ended. Neither side sends more than the other takes.
 * Rejects when the tunnel breaks, or this side does; what is left of either is the caller's.
 */
export async function carry(
  { input, output }: Local,
  connection: TcpConnection,
  traffic: Traffic,
): Promise<void> {
  const { closed, readable, writable } = connection;
  const broken = Promise.withResolvers<never>();
  input.on('error', broken.reject);
  output.on('error', broken.reject);
  try {
    // A relay of plain messages ends both directions at once: nobody waits for the rest of the input then.
    const sent = Promise.race([send(), closed]);
    await Promise.race([broken.promise, Promise.all([receive(), sent, closed])]);
  } finally {
    input.off('error', broken.reject);
    output.off('error', broken.reject);
  }

  async function send(): Promise<void> {
    const writer = writable.getWriter();
    writer.closed.catch(() => {});
    for await (const chunk of input.iterator({ destroyOnReturn: false })) {
      traffic.up += chunk.length;
      await writer.write(chunk);
    }
    await writer.close();
  }

  async function receive(): Promise<void> {
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
}
