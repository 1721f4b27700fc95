import type { Config } from '../../config/schema.ts';
import type { StoreConfig } from '../../config/store.ts';
import { Closers } from '../../gateway/closers.ts';
import { storeTls } from '../../gateway/store.ts';
import { tryRedis } from '../../store/redis/trial.ts';
import { unwatched } from '../../watched-certificates.ts';
import type { Trial } from './trial.ts';

/** What gateways share their limits in, if they do. */
export function storeTrials({ store }: Pick<Config, 'store'>): Trial[] {
  if (store === undefined) return [];
  const target = store.redis.map((each) => new URL(each).host).join(', ');
  return [{ target, of: 'store', run: (signal) => tryStore(store, signal) }];
}

async function tryStore(config: StoreConfig, signal: AbortSignal): Promise<string> {
  const closers = new Closers();
  try {
    return await tryRedis(config, storeTls(config, unwatched, closers), signal);
  } finally {
    await closers.run();
  }
}
