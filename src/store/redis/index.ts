import type { ConnectionOptions } from 'node:tls';
import type { StoreConfig } from '../../config/store.ts';
import { within } from '../../within.ts';
import type { Commons } from '../commons.ts';
import { Guard, type GuardObserver } from '../shared/guard.ts';
import { GuardedAuthority } from '../shared/guarded.ts';
import { createSharedStore, type SharedStore } from '../shared/index.ts';
import { KEPT_MS, RedisAuthority } from './authority.ts';
import { createRedisCommons, type RedisCommons } from './commons.ts';
import { openRedis, type RedisLink } from './link.ts';
import { Membership } from './membership.ts';

export interface RedisStore extends SharedStore {
  /** What the processes know together, besides counts. */
  readonly commons: Commons;
  /** Processes that share it, as far as this one knows; this one at least. */
  readonly gateways: number;
  /** Redis answers, as far as is known. */
  readonly isAnswering: boolean;
  /** What the others tell is heard, as far as is known. */
  readonly isHearing: boolean;
  /** Gives up the connection; again is a no-op. What this process holds is free in some seconds. */
  close(): void;
}

interface RedisStoreDeps {
  readonly tls?: ConnectionOptions | undefined;
  readonly observer?: GuardObserver | undefined;
  /** Hears whether what other processes tell is heard. */
  readonly hearing?: GuardObserver | undefined;
  /** What is thrown at who meets a limit while Redis does not answer. Absent: each process judges alone then. */
  readonly refusal?: ((cause: unknown) => Error) | undefined;
  /** So many processes share it for sure, this one among them; absent: 1. */
  readonly least?: number | undefined;
  /** Milliseconds an answer may take; absent: 50. */
  readonly withinMs?: number | undefined;
}

/** Without Redis gateways start, and work, too; they give it so many milliseconds to be heard, … */
const START_MS = 2_000;
/** … and one that tells them what is revoked so many to tell all of it. */
const READ_MS = 20_000;

/** Opens the store that several gateways share. Resolves when all was read that Redis has, or Redis does not answer. */
export async function openRedisStore(config: StoreConfig, deps: RedisStoreDeps = {}): Promise<RedisStore> {
  const link = openRedis(config, deps.tls);
  const { membership, guard, store, commons } = assemble(
    link,
    openRedis(config, deps.tls),
    config.prefix,
    deps,
  );
  const again = setInterval(restate, KEPT_MS / 3);
  await heard(link, membership, commons);
  return {
    ...store,
    commons,
    get gateways() {
      return membership.size;
    },
    get isAnswering() {
      return link.isReady && guard.isAnswering;
    },
    get isHearing() {
      return commons.isHearing;
    },
    close() {
      clearInterval(again);
      commons.close();
      membership.close();
      link.close();
    },
  };

  function restate(): void {
    void store.restate();
    void commons.restate();
  }
}

function assemble(link: RedisLink, reading: RedisLink, prefix: string, deps: RedisStoreDeps) {
  const { observer, hearing, refusal, withinMs, least } = deps;
  const guard = new Guard({
    withinMs,
    observer: {
      failed: (cause) => observer?.failed(cause),
      recovered() {
        observer?.recovered();
        void store.restate();
      },
    },
  });
  const membership = new Membership({ link, prefix, least, onHeard });
  const authority = new GuardedAuthority(new RedisAuthority(link, prefix, membership), guard);
  const gateways = () => membership.size;
  const store = createSharedStore({ authority, gateways, refusal, now: () => performance.now() });
  const refuses = refusal !== undefined;
  const commons = createRedisCommons({
    link,
    reading,
    prefix,
    membership,
    guard,
    refuses,
    observer: hearing,
  });
  return { membership, guard, store, commons };

  function onHeard(wasAlive: boolean): void {
    void (wasAlive ? store.repeat() : store.restate());
    void (wasAlive ? commons.repeat() : commons.restate());
  }
}

/** Each connection begins with a sign of life. Resolves when what Redis has was read, or it does not tell it. */
async function heard(link: RedisLink, membership: Membership, commons: RedisCommons): Promise<void> {
  link.onReady(() => void membership.beat());
  const tried = link.tried.then(() => membership.beat());
  const all = Promise.all([membership.heard, commons.heard]);
  await within(
    tried.then(() => (link.isReady ? all : undefined)),
    START_MS,
  );
  if (commons.beginning !== undefined) await within(commons.beginning, READ_MS);
}
