import dns from 'node:dns';
import { connect as connectTcp, type LookupFunction, type TcpNetConnectOpts } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector, type RedisOptions } from 'ioredis';

/** Of more that wait for one answer the first have long been given up. */
const MOST_WAITING = 16;

type Listener = Parameters<LookupFunction>[2];

/** Who waits for what is looked up now, by what that is. */
const waiting = new Map<string, Listener[]>();

/**
 * Looks a name up, once at a time for all who ask meanwhile. The system goes on with a question that nobody waits for any more,
 * and takes few at once: where they hung, no other name would be looked up by this process.
 */
export const lookUpOnce: LookupFunction = (name, options, listener) => {
  const key = JSON.stringify([name, options.family, options.hints, options.all]);
  const known = waiting.get(key);
  if (known !== undefined) {
    known.push(listener);
    if (known.length > MOST_WAITING) known.shift();
    return;
  }
  const listeners = [listener];
  waiting.set(key, listeners);
  dns.lookup(name, options, (...answer: Parameters<Listener>) => {
    waiting.delete(key);
    for (const each of listeners) each(...answer);
  });
};

/** Connects to one server as ioredis does, but for how its name is looked up. */
export class Connector extends AbstractConnector {
  readonly #options: RedisOptions;

  constructor(options: unknown) {
    const given = options as RedisOptions;
    super(given.disconnectTimeout ?? 0);
    this.#options = given;
  }

  async connect(): Promise<AbstractConnector['stream']> {
    const { host, port, family, tls } = this.#options;
    const place = { host, port, family, lookup: lookUpOnce } as TcpNetConnectOpts;
    this.connecting = true;
    this.stream = tls ? connectTls({ ...place, ...tls }) : connectTcp(place);
    this.stream.once('error', (error) => {
      this.firstError = error;
    });
    return this.stream;
  }
}
