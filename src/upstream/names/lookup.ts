import { NODATA, NOTFOUND, Resolver } from 'node:dns';
import { readFileSync } from 'node:fs';
import { type Hosts, parseHosts } from './hosts.ts';
import { namesToAsk, parseSearch } from './search.ts';

/** One lookup of one name: hosts file, `localhost`, DNS. Keeps nothing. */

/** What a name stands for. */
export interface Addresses {
  /** IPv6 first (RFC 8305 §4), each once. */
  readonly addresses: readonly string[];
  /** Milliseconds for which this holds, as the answer says. */
  readonly ttlMs: number;
}

export interface LookupOptions {
  /** DNS servers as `address[:port]`; those of resolv.conf unless given. */
  readonly servers?: readonly string[] | undefined;
  readonly hostsFile?: string;
  readonly resolvConf?: string;
}

/** Silence of every server ends a lookup after this time. */
const PATIENCE_MS = 5_000;
/** RFC 8305 §3: how long the answer of one family waits for that of the other. */
const RESOLUTION_DELAY_MS = 50;
/** The hosts file says no time: it is read again this often. */
const FILE_TTL_MS = 5_000;
const LOOPBACK: readonly string[] = ['::1', '127.0.0.1'];

/** The name does not exist, or has no address: the servers have said so. Everything else may pass. */
export class NoSuchName extends Error {
  readonly code: string;

  constructor(name: string, code: string) {
    super(`${name} has no address (${code})`);
    this.name = 'NoSuchName';
    this.code = code;
  }
}

/**
 * Looks a name up with a resolver of its own, so that a server that is silent about one name delays no other, and so
 * that what resolv.conf says now counts. Rejects with NoSuchName, or with the error of node:dns; ECANCELLED when
 * `signal` aborts.
 */
export async function lookUp(name: string, options: LookupOptions, signal: AbortSignal): Promise<Addresses> {
  const { hostsFile = '/etc/hosts', resolvConf = '/etc/resolv.conf' } = options;
  const bare = name.toLowerCase().replace(/\.$/, '');
  const listed = readHosts(hostsFile).get(bare) ?? (isLocalhost(bare) ? LOOPBACK : undefined);
  if (listed !== undefined) return { addresses: ipv6First(listed), ttlMs: FILE_TTL_MS };

  const resolver = askerOf(options.servers);
  const cancel = () => resolver.cancel();
  const timer = setTimeout(cancel, PATIENCE_MS);
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await firstKnown(namesToAsk(name.toLowerCase(), parseSearch(textOf(resolvConf))), resolver);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', cancel);
    // The family that lost may still be asking.
    resolver.cancel();
  }
}

/** Asks these servers. Throws the error of node:dns if one of them is no address. */
export function askerOf(servers: readonly string[] | undefined): Resolver {
  const resolver = new Resolver();
  if (servers) resolver.setServers(servers);
  return resolver;
}

/** RFC 6761 §6.3: names under `localhost` never leave the machine. */
function isLocalhost(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost');
}

function readHosts(file: string): Hosts {
  return parseHosts(textOf(file));
}

/** A machine need not have either file. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

async function firstKnown(names: readonly string[], resolver: Resolver): Promise<Addresses> {
  let unknown: unknown;
  for (const name of names) {
    try {
      return await bothFamilies(name, resolver);
    } catch (error) {
      if (!(error instanceof NoSuchName)) throw error;
      unknown = error;
    }
  }
  throw unknown;
}

interface Family {
  readonly records: readonly { readonly address: string; readonly ttl: number }[];
  readonly error?: NodeJS.ErrnoException;
}

/** Asks for both families at once. A family that is late by 50 ms is left out until the next lookup. */
async function bothFamilies(name: string, resolver: Resolver): Promise<Addresses> {
  const six = askFamily(name, 6, resolver);
  const four = askFamily(name, 4, resolver);
  const first = await Promise.race([six, four]);
  const families =
    first.records.length === 0 ? await Promise.all([six, four]) : await withinDelay([six, four], first);
  const records = families.flatMap((family) => family.records);
  if (records.length > 0)
    return {
      addresses: ipv6First(records.map(({ address }) => address)),
      ttlMs: Math.min(...records.map(({ ttl }) => ttl)) * 1000,
    };
  const failure = families.find(({ error }) => error && !isNegative(error))?.error;
  throw failure ?? new NoSuchName(name, families[0]?.error?.code ?? NODATA);
}

async function withinDelay(both: readonly Promise<Family>[], first: Family): Promise<readonly Family[]> {
  const { promise, resolve } = Promise.withResolvers<readonly Family[]>();
  const timer = setTimeout(() => resolve([first]), RESOLUTION_DELAY_MS);
  void Promise.all(both).then(resolve);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** Never rejects: one family's failure is not the other's. */
function askFamily(name: string, family: 4 | 6, resolver: Resolver): Promise<Family> {
  return new Promise((resolve) => {
    const answered = (error: NodeJS.ErrnoException | null, records: Family['records'] = []) =>
      resolve(error ? { records: [], error } : { records });
    if (family === 6) resolver.resolve6(name, { ttl: true }, answered);
    else resolver.resolve4(name, { ttl: true }, answered);
  });
}

function isNegative({ code }: NodeJS.ErrnoException): boolean {
  return code === NOTFOUND || code === NODATA;
}

function ipv6First(addresses: readonly string[]): string[] {
  const unique = [...new Set(addresses)];
  const isIPv6 = (address: string) => address.includes(':');
  return [...unique.filter(isIPv6), ...unique.filter((address) => !isIPv6(address))];
}
