import { Cluster, type Redis } from 'ioredis';

/** Of more octets than that no answer is: what is read at once is far less. */
const MOST_OCTETS = 16 * 1_024 * 1_024;
/** An answer that has begun, but not ended, is waited for no longer than twice this. */
const LONGEST_MS = 5_000;

/** Answers that do not end are not waited for, nor kept: their connection is. */
export interface Overlong {
  /** Has an eye on who is asked until `answer` is there. */
  watch<T>(answer: Promise<T>): Promise<T>;
  /** Again is a no-op. */
  close(): void;
}

/** Leaves a connection on which an answer is too long, or takes too long, and has another one opened. */
export function leaveOverlong(client: Redis | Cluster): Overlong {
  let octets = 0;
  let open = 0;
  let isLate = false;
  if (client instanceof Cluster) client.on('+node', (node: Redis) => node.on('connect', () => count(node)));
  else client.on('connect', () => count(client));
  const looking = setInterval(look, LONGEST_MS).unref();
  return {
    async watch(answer) {
      open += 1;
      try {
        return await answer;
      } finally {
        open -= 1;
        octets = 0;
        isLate = false;
      }
    },
    close: () => clearInterval(looking),
  };

  function count({ stream }: Redis): void {
    octets = 0;
    stream.on('data', ({ length }: Buffer) => {
      octets += length;
      if (octets > MOST_OCTETS) stream.destroy(new Error('an answer of Redis is longer than 16 MiB'));
    });
  }

  /** Nothing was answered since it was looked last, and is still awaited. */
  function look(): void {
    if (open > 0 && isLate) client.disconnect(true);
    isLate = open > 0;
  }
}
