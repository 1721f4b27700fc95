import { z } from 'zod';
import { leeway, oneOrMany } from './fields.ts';
import { issuerRules } from './issuer-rules.ts';
import { logout } from './logout.ts';

/** The configuration of who signs tokens. */

const algorithm = z.enum([
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
]);

export const issuer = z
  .strictObject({
    issuer: z.string().min(1).describe('The exact `iss` of its tokens'),
    audience: z
      .union(
        [z.literal('none').transform(() => []), oneOrMany(z.string().min(1))],
        'expected the `aud` of your tokens, or none, which takes tokens made for any application',
      )
      .describe('Accepted `aud`: one or several; none: whatever it says, or nothing'),
    algorithms: z
      .array(algorithm)
      .min(1)
      .describe('Signature algorithms; never taken from the token (RFC 8725 §3.1)'),
    jwks: z
      .string()
      .min(1)
      .optional()
      .describe('Its key set: an http(s) URL, or a file; absent: another kind of key is given'),
    discovery: z
      .literal(true, 'expected true')
      .optional()
      .describe(
        'The key set is found through the issuer’s /.well-known/openid-configuration; absent: it is not',
      ),
    publicKey: z
      .string()
      .min(1)
      .optional()
      .describe('Its public key: a PEM file (SPKI or certificate); absent: another kind of key is given'),
    secret: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Its HMAC secret: from the environment, or file:PATH, never the text itself; absent: another kind of key is given',
      ),
    clockTolerance: leeway.prefault('5s').describe('Leeway for exp and nbf; at most 1m'),
    logout: logout
      .optional()
      .describe(
        'It says when somebody has signed out (OpenID Connect back-channel logout): their sessions end; absent: it does not',
      ),
  })
  .superRefine(issuerRules);
