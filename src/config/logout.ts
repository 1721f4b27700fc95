import { z } from 'zod';
import { duration, fixedPath } from './fields.ts';
import type { Config } from './schema.ts';

/** The configuration of how identity providers say that somebody has signed out. */
export const logout = z.strictObject({
  path: fixedPath
    .optional()
    .describe(
      'Where its provider POSTs logout tokens, on the public listeners; issuers may share it; absent: /logout behind the prefix of endpoints',
    ),
  clientId: z
    .string()
    .min(1)
    .describe('The `aud` of its logout tokens: what the client is called at the provider'),
  for: duration
    .prefault('24h')
    .describe('How long its tokens are good at most: so long those of who has signed out are refused'),
});

/** Where logout tokens of an issuer are taken; undefined: nowhere. */
export function logoutPath(
  { endpoints }: Pick<Config, 'endpoints'>,
  { logout }: Pick<Config['issuers'][string], 'logout'>,
): string | undefined {
  return logout && (logout.path ?? `${endpoints.prefix}/logout`);
}
