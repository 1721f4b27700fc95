import '../../config/examples/databases-in-a-page/globals.js';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { configure } from '../../src/client/net.ts';

/** The program of a page: pg and ioredis as they are, on the client library's `net`. */

/** What the test asks the page to do; each resolves with what can be compared. */
export interface DatabasePage {
  configure(gateway: string, token: string): void;
  query(password: string, sql: string): Promise<unknown[]>;
  redis(): Promise<unknown>;
  failure(): Promise<string>;
}

const page: DatabasePage = {
  configure(gateway, token) {
    configure({ url: (host) => `${gateway}/${host}`, token: async () => token });
  },
  async query(password, sql) {
    const client = new Client({
      host: 'postgres',
      port: 5432,
      user: 'alice',
      database: 'postgres',
      password,
    });
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  },
  async redis() {
    const redis = new Redis({ host: 'redis', port: 6379 });
    const long = 'κόσμε'.repeat(30_000);
    const set = await redis.set('long', long);
    const same = (await redis.get('long')) === long;
    const counted = await redis.pipeline().set('n', 41).incr('n').get('n').exec();
    const many = await Promise.all(Array.from({ length: 500 }, (_, index) => redis.incrby('sum', index)));
    await redis.quit();
    return { set, same, counted, last: many.at(-1) };
  },
  failure: () =>
    new Promise((resolve) => {
      const redis = new Redis({ host: 'nobody', port: 1, retryStrategy: null });
      redis.on('error', (error: Error & { code?: string }) => resolve(`${error.code} ${error.message}`));
    }),
};

Object.assign(globalThis, { page });
