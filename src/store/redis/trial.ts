import type { ConnectionOptions } from 'node:tls';
import type { StoreConfig } from '../../config/store.ts';
import { redisFault } from './fault.ts';
import { openRedis, type RedisLink } from './link.ts';
import { BEAT, FORGET, TELL, WRITE } from './scripts.ts';

/** What is written is away after so many milliseconds. */
const KEPT_MS = 1_000;

/**
 * Tries whether gateways could share there what they count and know, and resolves with what it is. Rejects with why they could
 * not, and when `signal` aborts.
 */
export async function tryRedis(
  config: StoreConfig,
  tls: ConnectionOptions | undefined,
  signal: AbortSignal,
): Promise<string> {
  const link = openRedis(config, tls);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([late, tryAll(link, config.prefix)]);
  } catch (error) {
    const said = redisFault(error) ?? redisFault(link.fault);
    throw said === undefined ? error : new Error(said);
  } finally {
    signal.removeEventListener('abort', stop);
    link.close();
  }
}

/** Each command that a gateway gives, on keys of the kinds that it has, without an effect on others. */
async function tryAll(link: RedisLink, prefix: string): Promise<string> {
  await link.tried;
  await link.run(BEAT, `${prefix}:gateways`, '', KEPT_MS);
  await link.call('SET', `${prefix}:note:check`, '', 'PX', KEPT_MS);
  await link.run(WRITE, `${prefix}:registers`);
  await link.run(FORGET, `${prefix}:registers`, 'check');
  await link.call('HSCAN', `${prefix}:registers`, '0', 'COUNT', 1);
  await link.run(TELL, `${prefix}:events:check`, 1, KEPT_MS, 'check', 'check');
  await link.call('XREVRANGE', `${prefix}:events`, '+', '-', 'COUNT', 1);
  await link.call('XREAD', 'COUNT', 1, 'STREAMS', `${prefix}:events`, '0-0');
  return versionOf(link);
}

/** As it says itself, if it may be asked. */
async function versionOf(link: RedisLink): Promise<string> {
  const text = String(await link.call('INFO', 'server').catch(() => ''));
  const [, valkey] = /^valkey_version:(\S+)/m.exec(text) ?? [];
  const [, redis] = /^redis_version:(\S+)/m.exec(text) ?? [];
  if (valkey !== undefined) return `Valkey ${valkey}`;
  return redis === undefined ? 'answers' : `Redis ${redis}`;
}
