import { z } from 'zod';

/** Profiles that know their protocol add to this path what it asks for. */
export const endpoint = z
  .string()
  .regex(/^\/[^\s#?{}]*$/, 'expected a path that starts with /, without a query and without placeholders')
  .describe('engine.io, sockjs, bayeux: where the service speaks that, behind the target’s own path');
