import { z } from 'zod';
import type { Finding } from './problem.ts';
import { places, valueAt } from './tree.ts';

/** The configuration of how many processes serve. */

/** More than any machine has cores for. */
export const MOST_WORKERS = 256;

export const workers = z
  .union([z.literal('auto'), z.int().min(1).max(MOST_WORKERS)], 'expected auto, or a whole number up to 256')
  .optional()
  .describe(
    'Processes that share listeners, limits and the admin listener; auto: one for each core. For `sallyport serve`: a program that calls createGateway has one; absent: one',
  );

/** What waits in one process for a client that may come back to another. */
const WAITING = [
  'routes.*.upstream.resume',
  'routes.*.upstream.poll.linger',
  'routes.*.upstream.post.linger',
];

/** Problems: what does not go with several processes. Everything of `tree` may have any shape. */
export function checkWorkers(tree: unknown): Finding[] {
  const given = valueAt(tree, ['workers']);
  if (given === undefined || given === 1) return [];
  return WAITING.flatMap((pattern) => places(tree, pattern)).map(({ path }) => ({
    path,
    message:
      'does not go with workers: a client that comes back may meet another process, which does not know it',
    hint: 'remove it, or workers',
    atKey: true,
  }));
}
