import { networkInterfaces } from 'node:os';
import { normaliseAddress } from '../../http/address.ts';

/** So long what the system has said of its interfaces counts. */
const EVERY_MS = 5_000;

/** Whether an address is one of this machine's own: what listens there may be shut off from everybody else. */
export type IsOwn = (address: string) => boolean;

/** Asks the system, now and then. `now` is in milliseconds that only grow. */
export function createOwnAddresses(now: () => number): IsOwn {
  let known: ReadonlySet<string> = new Set();
  let readAt = Number.NEGATIVE_INFINITY;
  return function isOwn(address) {
    if (now() - readAt >= EVERY_MS) {
      readAt = now();
      known = new Set(ownAddresses());
    }
    return known.has(address);
  };
}

function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses);
  return all.flatMap(({ address }) => normaliseAddress(address) ?? []);
}
