import { z } from 'zod';
import { duration } from '../fields.ts';
import { commonFields, PROFILE } from './common.ts';
import { endpoint } from './endpoint.ts';

/** SockJS 0.3 by its xhr transport. */
export const sockjsService = z.strictObject({
  profile: z.literal('sockjs').describe(PROFILE),
  ...commonFields,
  path: endpoint,
  heartbeat: duration
    .prefault('25s')
    .describe('sockjs: how often the service says at the least that it is there; a poll is held no longer'),
  margin: duration.prefault('5s').describe('Patience beyond that'),
  timeout: duration.prefault('30s').describe('A send without an answer by then has failed'),
});

export type SockjsConfig = z.output<typeof sockjsService>;
