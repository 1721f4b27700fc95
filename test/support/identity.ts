import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { within } from './patience.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A real HTTP server that stands for an identity provider, answering as the test tells it to. */
export interface IdentityProvider {
  readonly url: string;
  /** Requests so far. */
  readonly hits: number;
  /** What to answer from now on: a key set as text, or anything else by hand. */
  answer(how: string | Answer): void;
  /** Resolves once there have been as many requests. */
  requested(count: number): Promise<void>;
  close(): Promise<void>;
}

export async function startIdentityProvider(first: string | Answer): Promise<IdentityProvider> {
  let answer = toAnswer(first);
  let hits = 0;
  const server = createServer((request, response) => {
    hits += 1;
    server.emit('hit');
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    get hits() {
      return hits;
    },
    answer(how) {
      answer = toAnswer(how);
    },
    async requested(count) {
      while (hits < count) await within(once(server, 'hit'), `request ${hits + 1} of ${count}`);
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function toAnswer(how: string | Answer): Answer {
  if (typeof how !== 'string') return how;
  return (_, response) => response.setHeader('content-type', 'application/json').end(how);
}
