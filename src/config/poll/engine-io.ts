import { z } from 'zod';
import { duration } from '../fields.ts';
import { commonFields, PROFILE } from './common.ts';
import { ENDPOINT, fixedPath, TIMEOUT } from './requests.ts';

/** Engine.IO v4, and so Socket.IO, by polling. */
export const engineIoService = z.strictObject({
  profile: z.literal('engine.io').describe(PROFILE),
  ...commonFields,
  path: fixedPath.default('/socket.io/').describe(ENDPOINT),
  timeout: duration.prefault('30s').describe(TIMEOUT),
});

export type EngineIoConfig = z.output<typeof engineIoService>;
