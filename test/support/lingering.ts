import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { WebSocket } from 'ws';
import { within } from './patience.ts';
import type { fixtures, Harness, ServiceHandler, ServiceRequest, TestService } from './poll.ts';
import { seeded } from './seeded.ts';

/** Sessions that outlive their clients, between real sockets: a service with numbered messages, and clients that come back. */

export const LINGER = { for: '30s', token: 'query:resume' };

/** A feed of numbered messages, from a cursor on. */
export const NUMBERS = {
  poll: { path: '/feed' },
  cursor: { from: 'json:/next', send: 'query:since', initial: '0' },
  messages: { framing: 'json-array', at: 'json:/events' },
  send: { path: '/send' },
  close: { path: '/leave?code={code}' },
};

/** The cursor in a poll; undefined in another request. */
export function sinceIn({ url }: Pick<ServiceRequest, 'url'>): number | undefined {
  const { pathname, searchParams } = new URL(url, 'http://x');
  return pathname === '/feed' ? Number(searchParams.get('since')) : undefined;
}

/** Answers each poll with the next `size` numbers up to `last`, holds what is behind, and takes all else. */
export function numbers(last: number, size: (since: number) => number = () => 1): ServiceHandler {
  return function answer(request, response) {
    const since = sinceIn(request);
    if (since === undefined) return void response.end();
    if (since >= last) return;
    const next = Math.min(last, since + size(since));
    const events = Array.from({ length: next - since }, (_, index) => since + index + 1);
    response.end(JSON.stringify({ next, events }));
  };
}

/** Paths of all requests but polls. */
export function pathsOf({ requests }: TestService): string[] {
  return requests.filter((request) => sinceIn(request) === undefined).map(({ url }) => url);
}

/** By how many names the service knows sessions. */
export function namesOf({ requests }: TestService): Set<unknown> {
  return new Set(requests.map(({ headers }) => headers['x-connection-id']));
}

/** The client of the last connection is lost; resolves when the gateway has noticed. */
export async function lost(gateway: Harness, client: Returner): Promise<void> {
  const before = gateway.endings.length;
  client.vanish();
  await gateway.endings[before - 1];
}

/** `1` to `last`, as they come. */
export function upTo(last: number): string[] {
  return Array.from({ length: last }, (_, index) => String(index + 1));
}

/** The secret of a resume token. */
export function freshSecret(): string {
  return randomBytes(18).toString('base64url');
}

/** One client with a resume token that it comes back with. */
export class Returner {
  readonly token = freshSecret();
  readonly #url: string;
  /** All that has come, over all connections. */
  readonly texts: string[] = [];
  client!: WebSocket;
  readonly #events = new EventEmitter();

  /** `url` is that of the gateway. */
  constructor({ url }: { readonly url: string }, path = '/rooms/blue') {
    this.#url = url + path;
  }

  /** Connects, and says how much has come so far unless told otherwise. Resolves when it is open. */
  async come(suffix = `.${this.texts.length}`): Promise<WebSocket> {
    const client = this.begin(suffix);
    await within(once(client, 'open'), 'an open WebSocket');
    return client;
  }

  /** The same, without waiting. */
  begin(suffix = `.${this.texts.length}`): WebSocket {
    const client = new WebSocket(`${this.#url}?a=1&resume=${this.token}${suffix}`);
    client.on('error', () => {});
    this.client = client;
    client.on('message', (data: Buffer) => {
      // What comes to one that was left is not read any more.
      if (client !== this.client) return;
      this.texts.push(data.toString());
      this.#events.emit('text');
    });
    return client;
  }

  /** Is lost without a Close. What has not been read by now never is. */
  vanish(): void {
    const { client } = this;
    client.removeAllListeners('message');
    client.terminate();
  }

  /** Resolves when so many messages have come. */
  async atLeast(count: number, ms?: number): Promise<readonly string[]> {
    while (this.texts.length < count)
      await within(once(this.#events, 'text'), () => `message ${this.texts.length + 1} of ${count}`, ms);
    return this.texts;
  }
}

/**
 * A client that is lost, or comes a second time, amid messages, over and over; it says how many it has. Resolves with what has
 * come, and with how many sessions the service has seen.
 */
export async function dropAtRandom(
  { service, harness }: Pick<ReturnType<typeof fixtures>, 'service' | 'harness'>,
  drops: number,
  seed: number,
): Promise<{ readonly texts: readonly string[]; readonly names: number }> {
  const feed = { last: Infinity };
  const random = seeded(seed);
  const backend = await service((request, response) =>
    numbers(feed.last, (since) => 1 + (since % 50))(request, response),
  );
  const gateway = await harness({ target: backend.url, ...NUMBERS, linger: LINGER, queueSize: '4KiB' });
  const client = new Returner(gateway);
  for (let drop = 0; drop < drops; drop++) {
    await client.come();
    await client.atLeast(client.texts.length + random(12));
    if (random(4) > 0) client.vanish();
  }
  feed.last = client.texts.length + 100;
  await client.come();
  const texts = await client.atLeast(feed.last);
  return { texts, names: new Set(backend.requests.map(({ headers }) => headers['x-connection-id'])).size };
}
