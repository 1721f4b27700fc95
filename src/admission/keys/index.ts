import type { Logger } from 'pino';
import { type ApiKey, readApiKeys } from '../../config/api-keys.ts';
import { ConfigError, formatProblem } from '../../config/problem.ts';
import type { RouteConfig } from '../../config/schema.ts';
import { GatewayError } from '../../errors.ts';
import type { FileObserver, WatchedFiles } from '../../watched-files.ts';
import type { Claims } from '../claims.ts';
import { hashOfKey } from './key.ts';

/** The API keys of one file, as they stand in it now. */

/** Who has an API key. */
export interface KeyHolder {
  readonly subject: string;
  readonly claims: Claims;
  /** The key's end, in milliseconds since the epoch; undefined if it has none. */
  readonly expiresAt: number | undefined;
  /** It ends to the second. */
  readonly graceMs?: undefined;
  readonly marks?: undefined;
}

export interface ApiKeys {
  /** Who has a key; undefined if it is none of these. Throws TOKEN_EXPIRED. */
  find(key: string): KeyHolder | undefined;
}

interface KeysDeps {
  readonly files: Pick<WatchedFiles, 'watch'>;
  readonly logger?: Logger | undefined;
  readonly reloads?: FileObserver | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

type ByHash = ReadonlyMap<string, ApiKey>;

/** Opens the files of API keys that routes name, by their paths, each once. Rejects with ConfigError. */
export async function openKeyFiles(
  routes: readonly Pick<RouteConfig, 'auth'>[],
  deps: KeysDeps,
): Promise<ReadonlyMap<string, ApiKeys>> {
  const opened = keyFilesOf(routes).map(async (file) => [file, await openApiKeys(file, deps)] as const);
  return new Map(await Promise.all(opened));
}

/** The files of API keys that routes name, each once. */
export function keyFilesOf(routes: readonly Pick<RouteConfig, 'auth'>[]): string[] {
  return [...new Set(routes.flatMap(({ auth }) => (auth === 'none' ? [] : (auth.keys ?? []))))];
}

/**
 * Reads a file of API keys, and again when it changes, for as long as `files` is open: a file that cannot be used then changes
 * nothing, and the log says why. Rejects with ConfigError if it cannot be used now.
 */
export async function openApiKeys(file: string, deps: KeysDeps): Promise<ApiKeys> {
  const { files, logger, reloads, now = Date.now } = deps;
  // Before it is read: else a change in between is never told of.
  files.watch([file], renew);
  let keys = await readKeys(file);
  return { find };

  function find(key: string): KeyHolder | undefined {
    const known = keys.get(hashOfKey(key));
    if (known === undefined) return undefined;
    const { name, claims, expires: expiresAt } = known;
    if (expiresAt !== undefined && expiresAt <= now())
      throw new GatewayError('TOKEN_EXPIRED', { detail: `the API key ${JSON.stringify(name)} has ended` });
    return { subject: name, claims: { name, ...claims, sub: name }, expiresAt };
  }

  async function renew(): Promise<void> {
    try {
      const before = keys;
      keys = await readKeys(file, before.size === 0);
      const changes = changesBetween(before, keys);
      if (changes === undefined) return;
      reloads?.reloaded('keys', 'renewed');
      logger?.info({ file, ...changes }, 'the API keys have changed');
    } catch (error) {
      reloads?.reloaded('keys', 'refused');
      logger?.error({ file, ...causeOf(error) }, 'the API keys cannot be read anew; those read before stay');
    }
  }
}

/** Where there are keys, a file without a word is one that somebody is about to write, or could not. */
async function readKeys(file: string, mayBeBlank = true): Promise<ByHash> {
  return new Map((await readApiKeys(file, { mayBeBlank })).map((key) => [key.hash, key]));
}

/** By the names of the keys; undefined if nothing has changed. */
function changesBetween(before: ByHash, after: ByHash) {
  const old = byName(before);
  const fresh = byName(after);
  const added = [...fresh.keys()].filter((name) => !old.has(name));
  const removed = [...old.keys()].filter((name) => !fresh.has(name));
  const changed = [...fresh].filter(([name, text]) => old.has(name) && old.get(name) !== text);
  if (added.length + removed.length + changed.length === 0) return undefined;
  return { added, removed, changed: changed.map(([name]) => name), keys: after.size };
}

function byName(keys: ByHash): Map<string, string> {
  return new Map([...keys.values()].map((key) => [key.name, JSON.stringify(key)]));
}

function causeOf(error: unknown): object {
  if (!(error instanceof ConfigError)) return { err: error };
  return { problems: error.problems.map((problem) => formatProblem(error.file, problem)) };
}
