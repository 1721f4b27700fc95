import type { Finding } from './problem.ts';
import type { Config } from './schema.ts';

/** A file of revocations where no route asks who its clients are. */
export function idleRevocations({ revocations, routes }: Config): Finding[] {
  if (revocations === undefined || routes.some(({ auth }) => auth !== 'none')) return [];
  const message = 'has no effect: no route asks for a proof that could be revoked';
  return [{ path: ['revocations'], message, atKey: true, hint: 'remove it, or give a route `auth`' }];
}
