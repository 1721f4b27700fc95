import { z } from 'zod';
import { wantedClaims } from './auth.ts';
import { headerName, oneOrMany } from './fields.ts';

/** The configuration of the gateway's own credentials at an upstream, which no client gets to see. */

const credential = z.strictObject({
  header: headerName.optional().describe('In this header, in place of the client’s; absent: not there'),
  query: z
    .string()
    .min(1)
    .optional()
    .describe('As this parameter of the query, in place of the client’s; absent: not there'),
  subprotocol: z
    .string()
    .min(1)
    .optional()
    .describe('As a subprotocol that begins with this, in place of the client’s; absent: not there'),
  prefix: z.string().default('').describe('Stands before the value, such as "Bearer "'),
  value: z
    .string()
    .min(1)
    .describe('What it is: from the environment, or file:PATH, which is read again when it changes'),
  when: wantedClaims
    .optional()
    .describe(
      'Only for clients with these claims; the first of the list that fits a place is taken; absent: for all',
    ),
});

export const credentials = oneOrMany(credential);

export type CredentialConfig = z.output<typeof credential>;
