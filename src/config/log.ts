import { z } from 'zod';

/** The configuration of the log. */

export const log = z.strictObject({
  level: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
    .default('info')
    .describe('Least severe level that is written'),
  access: z
    .enum(['all', 'errors', 'off'])
    .default('all')
    .describe(
      'Lines of sessions and requests: all, those of faults of the gateway or a service only, or none',
    ),
  file: z
    .string()
    .min(1)
    .optional()
    .describe('Where lines are appended; SIGUSR1 opens it again; absent: standard output'),
  format: z
    .enum(['json', 'pretty'])
    .optional()
    .describe(
      'One JSON object a line, or for people; absent: json, but pretty if standard output is a terminal',
    ),
});
