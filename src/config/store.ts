import { z } from 'zod';
import { oneOrMany, url } from './fields.ts';
import type { Finding } from './problem.ts';
import { reach } from './reach.ts';
import { Secret } from './secret.ts';
import { secureTls } from './upstream-tls.ts';

/** The configuration of what several gateways share. */

const server = url('redis', 'rediss');

export const store = z
  .strictObject({
    redis: oneOrMany(server).describe(
      'Redis, or what speaks its protocol: its address, rediss:// for TLS; of a cluster some of its nodes, of Sentinels all of them. A path is the number of the database',
    ),
    cluster: z
      .literal(true, 'expected true')
      .optional()
      .describe('They are nodes of one cluster; absent: one server'),
    sentinel: z
      .string()
      .min(1)
      .optional()
      .describe('They are Sentinels that watch a master of this name; absent: they are servers'),
    username: z.string().min(1).optional().describe('Name of its ACL; absent: `default`'),
    password: z
      .string()
      .min(1)
      .transform((text) => new Secret(text))
      .optional()
      .describe('From the environment, or file:PATH, never the text itself; absent: none is asked for'),
    tls: secureTls.optional().describe('For rediss:// servers; absent: the authorities that Node comes with'),
    prefix: z
      .string()
      .regex(/^[\w.:-]{1,64}$/, 'expected at most 64 letters, digits and _ . : -')
      .default('sallyport')
      .describe('All its keys begin with it: gateways with the same prefix share their limits'),
    onFailure: z
      .enum(['local', 'refuse'])
      .default('local')
      .describe(
        'While it does not answer: each gateway has its part of every limit, by how many were last seen; or clients that meet a shared limit are refused (503)',
      ),
  })
  .superRefine(storeRules);

export type StoreConfig = z.output<typeof store>;

function storeRules(
  { redis, cluster, sentinel, tls, username, password }: Omit<StoreConfig, 'prefix' | 'onFailure'>,
  context: z.core.$RefinementCtx,
): void {
  function complain(path: string, message: string): void {
    context.addIssue({ code: 'custom', path: [path], message });
  }
  const secure = redis.filter((each) => each.startsWith('rediss:'));
  if (cluster && sentinel !== undefined)
    complain('sentinel', 'Sentinels watch no cluster; remove one of the two');
  if (redis.length > 1 && !cluster && sentinel === undefined)
    complain('redis', 'several servers are one store as `cluster: true`, or with the name of a `sentinel`');
  if (secure.length > 0 && secure.length < redis.length)
    complain('redis', 'some are rediss:// and some are not: write it for all of them, or for none');
  if (tls !== undefined && secure.length === 0) complain('tls', 'has no effect without a rediss:// server');
  if (username !== undefined && password === undefined)
    complain('username', 'has no effect without a password');
  if (cluster && redis.some((each) => databaseOf(each) > 0))
    complain('redis', 'a cluster has no databases but 0; remove the path');
  for (const each of redis)
    if (Number.isNaN(databaseOf(each)) || new URL(each).search !== '')
      complain(
        'redis',
        'has more behind its port than the number of a database: write it like redis://127.0.0.1:6379/2',
      );
}

/** Warnings: a password that anybody on the way can read. */
export function storeWarnings({ store }: { readonly store?: StoreConfig }): Finding[] {
  if (store?.password === undefined) return [];
  const exposed = store.redis.find(isPlain);
  if (exposed === undefined) return [];
  const message = `goes to ${exposed} in plain text: it can be read on the way`;
  return [{ path: ['store', 'password'], message, hint: 'speak TLS: rediss:// and tls', atKey: true }];
}

/** Over the net, and not encrypted; a private network is trusted with it. */
function isPlain(address: string): boolean {
  const { protocol, hostname } = new URL(address);
  return protocol === 'redis:' && reach(hostname) === 'public';
}

/** The number of the database that a URL names: 0 if none, NaN if its path is no number. */
export function databaseOf(address: string): number {
  const path = new URL(address).pathname.slice(1);
  return /^\d{0,4}$/.test(path) ? Number(path) : Number.NaN;
}
