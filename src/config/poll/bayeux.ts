import { z } from 'zod';
import { duration } from '../fields.ts';
import { commonFields, PROFILE } from './common.ts';
import { endpoint } from './endpoint.ts';

/** Bayeux by its long-polling transport. */
export const bayeuxService = z.strictObject({
  profile: z.literal('bayeux').describe(PROFILE),
  ...commonFields,
  path: endpoint,
  timeout: duration
    .prefault('90s')
    .describe('A request without an answer by then has failed: longer than the service holds /meta/connect'),
});

export type BayeuxConfig = z.output<typeof bayeuxService>;
