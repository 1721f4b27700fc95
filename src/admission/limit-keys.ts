import { createHash } from 'node:crypto';
import type { CountedPer } from '../config/limit-lists.ts';
import { addressKey } from '../http/address.ts';
import type { GatewayRequest } from '../http/request.ts';
import { claimReader } from './claims.ts';
import type { Grant } from './grant.ts';

/** What a request is counted under. */
export type KeyOf = (request: GatewayRequest, grant: Grant) => string;

/** What is longer is kept as a hash: a token may hold claims of kilobytes, and tables hold 100,000 keys. */
const LONGEST_KEY = 64;

/**
 * Compiles what a limit counts requests under. Those without an origin, a subject or the claim share one key. Origins are
 * counted by the entry of `origins` that lets them in and IPv6 addresses by their prefix, so that no client gets itself
 * counted as many.
 */
export function compileKey(per: CountedPer, ipv6Prefix?: number): KeyOf {
  if (per === 'origin') return (_, { originPattern = '' }) => originPattern;
  if (per === 'address') return ({ clientAddress }) => addressKey(clientAddress, ipv6Prefix);
  if (per === 'subject') return (_, { subject = '' }) => bounded(subject);
  if (per === 'route') return () => '';
  const read = claimReader(per.slice('claim:'.length));
  return (_, { claims }) => claimKey(read(claims));
}

function claimKey(value: unknown): string {
  if (value === undefined || value === null) return '';
  return bounded(typeof value === 'string' ? value : JSON.stringify(value));
}

function bounded(key: string): string {
  return key.length <= LONGEST_KEY ? key : createHash('sha256').update(key).digest('base64url');
}
