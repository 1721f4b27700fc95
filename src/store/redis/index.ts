import type { ConnectionOptions } from 'node:tls';
import type { StoreConfig } from '../../config/store.ts';
import { type AuthorityObserver, GuardedAuthority } from '../shared/guarded.ts';
import { createSharedStore, type SharedStore } from '../shared/index.ts';
import { KEPT_MS, RedisAuthority } from './authority.ts';
import { openRedis, type RedisLink } from './link.ts';
import { Membership } from './membership.ts';

export interface RedisStore extends SharedStore {
  /** Processes that share it, as far as this one knows; this one at least. */
  readonly gateways: number;
  /** Redis answers, as far as is known. */
  readonly isAnswering: boolean;
  /** Gives up the connection; again is a no-op. What this process holds is free in some seconds. */
  close(): void;
}

interface RedisStoreDeps {
  readonly tls?: ConnectionOptions | undefined;
  readonly observer?: AuthorityObserver | undefined;
  /** What is thrown at who meets a limit while Redis does not answer. Absent: each process judges alone then. */
  readonly refusal?: ((cause: unknown) => Error) | undefined;
  /** Milliseconds an answer may take; absent: 50. */
  readonly withinMs?: number | undefined;
}

/** Without Redis gateways start, and work, too; they give it so many milliseconds to be heard. */
const START_MS = 2_000;

/** Opens the store that several gateways share. Resolves when Redis was heard, or has not been for two seconds. */
export async function openRedisStore(config: StoreConfig, deps: RedisStoreDeps = {}): Promise<RedisStore> {
  const link = openRedis(config, deps.tls);
  const { membership, authority, store } = assemble(link, config.prefix, deps);
  const again = setInterval(() => void store.restate(), KEPT_MS / 3);
  await heard(link, membership);
  return {
    ...store,
    get gateways() {
      return membership.size;
    },
    get isAnswering() {
      return authority.isAnswering;
    },
    close() {
      clearInterval(again);
      membership.close();
      link.close();
    },
  };
}

function assemble(link: RedisLink, prefix: string, { observer, refusal, withinMs }: RedisStoreDeps) {
  const membership = new Membership(link, prefix, (wasAlive) => {
    void (wasAlive ? store.repeat() : store.restate());
  });
  const authority = new GuardedAuthority(new RedisAuthority(link, prefix, membership), {
    withinMs,
    observer: {
      failed: (cause) => observer?.failed(cause),
      recovered() {
        observer?.recovered();
        void store.restate();
      },
    },
  });
  const gateways = () => membership.size;
  const store = createSharedStore({ authority, gateways, refusal, now: () => performance.now() });
  return { membership, authority, store };
}

/** Each connection begins with a sign of life. Resolves when the first one has, or has failed to. */
async function heard(link: RedisLink, membership: Membership): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, START_MS);
  link.onReady(() => void membership.beat());
  await Promise.race([late, link.tried.then(() => membership.beat())]);
  clearTimeout(timer);
}
