import type { RequestKind } from '../http/request.ts';
import { isTree } from './tree.ts';

/** What a route's upstream can be. */
const UPSTREAM_KINDS = ['websocket', 'tcp', 'poll', 'post', 'http'] as const;
export type UpstreamKind = (typeof UPSTREAM_KINDS)[number];

/** The kinds an upstream names; `upstream` may be of any shape. */
export function kindsOf(upstream: unknown): UpstreamKind[] {
  if (!isTree(upstream)) return [];
  return UPSTREAM_KINDS.filter((kind) => upstream[kind] !== undefined);
}

/** Whether the kinds may stand together: http, one of the others, or http and one of them. */
export function isLegal(kinds: readonly UpstreamKind[]): boolean {
  const bridges = kinds.filter((kind) => kind !== 'http');
  return kinds.length > 0 && bridges.length <= 1;
}

/** Which of an upstream's kinds takes the upgrades: a bridge where there is one, else http unless they are off. */
export function upgradesTo(upstream: unknown): UpstreamKind | undefined {
  const [first] = kindsOf(upstream);
  const isOff = first === 'http' && isTree(upstream) && upstream.upgrades === 'off';
  return isOff ? undefined : first;
}

/** What a route with this upstream serves. */
export function servedKinds(upstream: unknown): RequestKind[] {
  const kinds: RequestKind[] = [];
  if (upgradesTo(upstream) !== undefined) kinds.push('upgrade');
  if (kindsOf(upstream).includes('http')) kinds.push('request');
  return kinds;
}
