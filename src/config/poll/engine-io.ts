import { z } from 'zod';
import { duration } from '../fields.ts';
import { commonFields, PROFILE } from './common.ts';
import { endpoint } from './endpoint.ts';

/** Engine.IO v4, and so Socket.IO, by polling. */
export const engineIoService = z.strictObject({
  profile: z.literal('engine.io').describe(PROFILE),
  ...commonFields,
  path: endpoint.default('/socket.io/'),
  timeout: duration.prefault('30s').describe('A send without an answer by then has failed'),
});

export type EngineIoConfig = z.output<typeof engineIoService>;
