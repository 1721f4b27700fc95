import type { ConnectionOptions } from 'node:tls';
import type { Logger } from 'pino';
import type { StoreConfig } from '../config/store.ts';
import { GatewayError } from '../errors.ts';
import { describeError } from '../observe/redact.ts';
import type { StoreRecord } from '../observe/store-metrics.ts';
import type { Commons } from '../store/commons.ts';
import type { Store } from '../store/index.ts';
import { createMemoryStore } from '../store/memory.ts';
import { createMemoryCommons } from '../store/memory-commons.ts';
import { redisFault } from '../store/redis/fault.ts';
import { openRedisStore } from '../store/redis/index.ts';
import { type TlsTrust, trustSource } from '../tls-trust.ts';
import type { CertificateWatch } from '../watched-certificates.ts';
import type { Closers } from './closers.ts';

interface StoreDeps {
  readonly certificates: CertificateWatch;
  /** Hears that the shared one has stopped answering. */
  readonly onFailed: () => void;
  readonly logger: Logger;
  /** What is used where none is configured. Absent: this process's memory. */
  readonly alone?: Omit<OpenedStore, 'shared'> | undefined;
  /** Processes of this gateway, which share it in any case; absent: 1. */
  readonly size?: number | undefined;
}

interface OpenedStore {
  readonly store: Store;
  /** What it knows with the others, besides counts. */
  readonly commons: Commons;
  /** Absent where it is this process's alone. */
  readonly shared?: StoreRecord;
}

/**
 * Opens what limits remember: in memory, or where the configuration says that gateways share it. A shared one that is away
 * keeps nobody from starting. Rejects with CertificateError for a file of its `tls`.
 */
export async function openStore(
  config: StoreConfig | undefined,
  deps: StoreDeps,
  closers: Closers,
): Promise<OpenedStore> {
  const { logger, onFailed, alone, size } = deps;
  if (config === undefined)
    return {
      store: alone?.store ?? createMemoryStore(),
      commons: alone?.commons ?? createMemoryCommons(),
    };
  const store = await openRedisStore(config, {
    least: size,
    tls: storeTls(config, deps.certificates, closers),
    refusal: config.onFailure === 'refuse' ? unavailable : undefined,
    observer: {
      failed(cause) {
        onFailed();
        logger.error({ cause: causeOf(cause), onFailure: config.onFailure }, 'shared store does not answer');
      },
      recovered: () => logger.info('shared store answers again'),
    },
    hearing: {
      failed: (cause) => logger.error({ cause: causeOf(cause) }, 'what other gateways tell is not heard'),
      recovered: () => logger.info('what other gateways tell is heard again'),
    },
  });
  closers.add(() => store.close());
  logger.info({ gateways: store.gateways, answers: store.isAnswering }, 'limits are shared');
  return { store, commons: store.commons, shared: store };
}

/** In words of the configuration, where there are some. */
function causeOf(cause: unknown): string {
  return redisFault(cause) ?? describeError(cause);
}

function unavailable(cause: unknown): GatewayError {
  return new GatewayError('STORE_UNAVAILABLE', { cause });
}

/**
 * What TLS to the store is spoken with; undefined where none is. Read at each connection: certificates that are renewed hold for new
 * ones. Throws CertificateError for a file.
 */
export function storeTls(
  { redis, tls }: StoreConfig,
  certificates: CertificateWatch,
  closers: Closers,
): ConnectionOptions | undefined {
  if (!redis.some((each) => each.startsWith('rediss:'))) return undefined;
  const watched = certificates.watch(trustSource(tls, ({ trust }) => use(trust)));
  closers.add(watched.close);
  const options: ConnectionOptions = {};
  function use({ context, servername, isVerified }: TlsTrust): void {
    Object.assign(options, { secureContext: context, rejectUnauthorized: isVerified });
    if (servername !== undefined) options.servername = servername;
  }
  use(watched.value.trust);
  return options;
}
