import { hash } from 'node:crypto';
import type { ConnectionOptions } from 'node:tls';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { databaseOf, type StoreConfig } from '../../config/store.ts';
import { Connector, lookUpOnce } from './connector.ts';
import { bearNonsense, CONNECTION_NAME, SENTINEL_MS } from './nonsense.ts';
import { leaveOverlong } from './overlong.ts';
import { SCRIPTS, type Script } from './scripts.ts';

const CONNECT_MS = 2_000;
/** A server that says nothing for so long while it is asked is left, and asked on another connection. */
const SILENT_MS = 5_000;
const LONGEST_PAUSE_MS = 1_000;

/** What is asked of a Redis. */
export interface RedisLink {
  /** Runs a script on one key. Rejects where there is no connection, and with what Redis says is wrong. */
  run(script: Script, key: string, ...values: (string | number)[]): Promise<unknown>;
  /** Gives a command. Rejects likewise. */
  call(name: string, ...values: (string | number)[]): Promise<unknown>;
  /** There is a connection: who asks now is heard, as far as is known. */
  readonly isReady: boolean;
  /** Calls `listener` each time there is a connection, the first and each further one. */
  onReady(listener: () => void): void;
  /** Resolves when there is the first connection, or when the first attempt has failed. */
  readonly tried: Promise<void>;
  /** What was last wrong with a connection; undefined: nothing yet. */
  readonly fault: unknown;
  close(): void;
}

/**
 * Connects, and connects again for as long as it is open; whoever asks meanwhile is refused at once. What is asked is asked
 * once: what becomes of it when the connection breaks is not known. `tls` is read at each new connection.
 */
export function openRedis(config: StoreConfig, tls?: ConnectionOptions): RedisLink {
  bearNonsense();
  const client = clientOf(config, tls);
  const overlong = leaveOverlong(client);
  const seen = watched(client);
  const isReady = () => client.status === 'ready' && !seen.isElsewhere;
  const ready: (() => void)[] = [];
  client.on('ready', () => {
    if (seen.isElsewhere) return;
    learn(client);
    for (const listener of ready) listener();
  });
  const connecting = keepConnecting(client);
  return {
    tried: connecting.tried,
    run: (script, key, ...values) => whenReady(() => run(client, script, key, values)),
    call: (name, ...values) => whenReady(() => client.call(name, ...values)),
    get isReady() {
      return isReady();
    },
    get fault() {
      return seen.fault;
    },
    onReady: (listener) => void ready.push(listener),
    close() {
      overlong.close();
      connecting.stop();
    },
  };

  async function whenReady<T>(ask: () => Promise<T>): Promise<T> {
    if (!isReady()) throw new Error('there is no connection to Redis', { cause: seen.fault });
    return overlong.watch(ask());
  }
}

/**
 * Connects until it is stopped, and disconnects then: an address that cannot be one is the end for ioredis, but the next that a
 * Sentinel names may be better.
 */
function keepConnecting(client: Redis | Cluster): { readonly tried: Promise<void>; stop(): void } {
  let again: NodeJS.Timeout | undefined;
  client.on('end', waitToConnect);
  // Where a cluster is not whole yet, ioredis lets go of the connection, and its promise never settles.
  const closed = new Promise<void>((resolve) => void client.once('close', resolve));
  return {
    tried: Promise.race([connect(), closed]),
    stop() {
      client.off('end', waitToConnect);
      clearTimeout(again);
      client.disconnect();
    },
  };

  function connect(): Promise<void> {
    return client.connect().catch(() => undefined);
  }

  function waitToConnect(): void {
    clearTimeout(again);
    again = setTimeout(() => void connect(), LONGEST_PAUSE_MS).unref();
  }
}

/** What is wrong with the connections of a client. */
interface Seen {
  fault: unknown;
  /** Redis has refused the database that is named, and would answer from another one, with the keys of others. */
  isElsewhere: boolean;
}

type LinkError = Error & { readonly lastNodeError?: Error; readonly command?: { readonly name: string } };

function watched(client: Redis | Cluster): Seen {
  const seen: Seen = { fault: undefined, isElsewhere: false };
  client.on('connect', () => {
    seen.isElsewhere = false;
  });
  client.on('ready', () => {
    if (!seen.isElsewhere) seen.fault = undefined;
  });
  // Whoever asks is told of it; without a listener it would end the process.
  client.on('error', (error: LinkError) => {
    // A cluster names what befell the last of its nodes.
    seen.fault = error.lastNodeError ?? error;
    seen.isElsewhere ||= error.command?.name === 'select';
  });
  // ioredis says all else that may be wrong.
  if (client instanceof Cluster)
    client.on('close', () => {
      seen.fault ??= new Error('the cluster is not whole');
    });
  return seen;
}

/** Tells it all scripts, so that the first who run them need not. What one of them does not learn it is told with the question. */
function learn(client: Redis | Cluster): void {
  const nodes = client instanceof Cluster ? client.nodes('master') : [client];
  for (const node of nodes) for (const { lua } of SCRIPTS) node.script('LOAD', lua).catch(() => undefined);
}

/** What is asked in one turn of the event loop is written at its end, at once: a question of its own costs a system call. */
function gatherWrites({ stream }: Redis): void {
  if (stream === undefined || stream.writableCorked > 0) return;
  stream.cork();
  setImmediate(() => stream.uncork());
}

/** Scripts are few, and asked for all the time. */
const HASHES = new Map<string, string>();

function hashOf(lua: string): string {
  const known = HASHES.get(lua) ?? hash('sha1', lua);
  HASHES.set(lua, known);
  return known;
}

/** By its hash, which is all that has to be sent once Redis knows the script. */
async function run(
  client: Redis | Cluster,
  { lua }: Script,
  key: string,
  values: (string | number)[],
): Promise<unknown> {
  if (client instanceof Redis) gatherWrites(client);
  try {
    return await client.evalsha(hashOf(lua), 1, key, ...values);
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
    return client.eval(lua, 1, key, ...values);
  }
}

function clientOf(config: StoreConfig, tls?: ConnectionOptions): Redis | Cluster {
  const { redis, cluster, sentinel } = config;
  const options = optionsOf(config, tls);
  const nodes = redis.map((each) => new URL(each)).map(({ hostname, port }) => nodeOf(hostname, port));
  if (cluster) return new Cluster(nodes, clusterOptions(options));
  const db = databaseOf(redis[0] as string);
  if (sentinel === undefined) return new Redis({ ...options, ...nodes[0], Connector, db });
  const name = sentinel;
  return new Redis({
    ...options,
    db,
    name,
    sentinels: nodes,
    // One that is silent is passed over for the next: it may be the very machine that has failed.
    sentinelCommandTimeout: SENTINEL_MS,
    sentinelTLS: tls,
    enableTLSForSentinelMode: tls !== undefined,
  });
}

function nodeOf(hostname: string, port: string) {
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || 6379) };
}

/** Nothing waits in a queue, and nothing is said twice. */
function optionsOf({ username, password }: StoreConfig, tls?: ConnectionOptions): RedisOptions {
  return {
    username,
    password: password?.reveal(),
    tls,
    // Servers older than 6 know no other.
    protocol: 2,
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_MS,
    socketTimeout: SILENT_MS,
    retryStrategy: pause,
    // A master that has become a replica takes no writes.
    reconnectOnError: ({ message }) => message.startsWith('READONLY'),
    disableClientInfo: true,
    connectionName: CONNECTION_NAME,
  };
}

function clusterOptions({
  retryStrategy,
  lazyConnect,
  enableOfflineQueue,
  ...redisOptions
}: RedisOptions): ClusterOptions {
  return {
    lazyConnect,
    enableOfflineQueue,
    redisOptions: { ...redisOptions, Connector },
    dnsLookup: (name, listener) => lookUpOnce(name, {}, (error, address) => listener(error, String(address))),
    clusterRetryStrategy: pause,
    slotsRefreshTimeout: CONNECT_MS,
    // ioredis would ask again by itself, and what a process holds could be heard behind what it has said later.
    retryDelayOnClusterDown: 0,
    retryDelayOnFailover: 0,
  };
}

function pause(times: number): number {
  return Math.min(50 * 2 ** Math.min(times, 10), LONGEST_PAUSE_MS);
}
