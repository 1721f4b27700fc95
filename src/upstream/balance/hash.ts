import { claimReader } from '../../admission/claims.ts';
import type { HashKey } from '../../config/pool.ts';
import { leastConnections } from './least-connections.ts';
import type { Asking, Policy } from './policy.ts';

/** What a request is hashed by; undefined if it has no such thing. */
const KEYS: Readonly<Record<HashKey['from'], (asking: Asking, name: string) => string | undefined>> = {
  address: ({ clientAddress }) => clientAddress,
  subject: ({ grant }) => grant.subject,
  origin: ({ origin }) => origin,
  path: ({ path }) => path,
  cookie: cookieOf,
  claim: ({ grant }, name) => textOf(claimReader(name)(grant.claims)),
};

/**
 * Rendezvous hashing: every key has a score at every target, and goes where that is highest. So a target that goes
 * moves its own keys only, to everywhere, and gateways agree without asking each other. A request without a key goes
 * where the fewest sessions are.
 */
export function hashBy({ from, name }: HashKey): Policy {
  const otherwise = leastConnections();
  return function pickByHash(candidates, asking, now) {
    const key = KEYS[from](asking, name);
    if (key === undefined) return otherwise(candidates, asking, now);
    let best = candidates[0] as (typeof candidates)[number];
    let highest = Number.NEGATIVE_INFINITY;
    for (const candidate of candidates) {
      const score = candidate.weight(now) / -Math.log(uniform(candidate.name, key));
      if (score <= highest) continue;
      best = candidate;
      highest = score;
    }
    return best;
  };
}

/** A number between 0 and 1, either excluded: FNV-1a, and murmur3's last steps, without which like names stay alike. */
function uniform(name: string, key: string): number {
  let hash = 0x811c9dc5;
  for (const text of [name, '\0', key]) {
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash ^= hash >>> 16;
  return ((hash >>> 0) + 0.5) / 2 ** 32;
}

function cookieOf({ headers }: Asking, name: string): string | undefined {
  for (const [field, value] of headers) {
    if (field.length !== 'cookie'.length || field.toLowerCase() !== 'cookie') continue;
    for (const pair of value.split(';')) {
      const at = pair.indexOf('=');
      if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
    }
  }
  return undefined;
}

function textOf(claim: unknown): string | undefined {
  return claim === undefined || claim === null ? undefined : JSON.stringify(claim);
}
