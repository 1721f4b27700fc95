import { claims, ISSUER, mintText, SECRET, signingKey } from './tokens.ts';

/** The environment and the issuer of a gateway that takes tokens of `freshToken`. */
export const TOKEN_ENV = { TEST_SECRET: SECRET };
/** Without a tolerance, over which sessions that end together would be spread. */
export const TOKEN_ISSUER = `issuers: { main: { issuer: "${ISSUER}", audience: realtime, algorithms: [HS256], secret: "\${TEST_SECRET}", clockTolerance: 0s } }`;

/** A token that is good for an hour by the real clock, as whole gateways need it. */
export function freshToken(changes: object = {}): string {
  const key = signingKey('HS256');
  const exp = Math.floor(Date.now() / 1000) + 3_600;
  return mintText(key, JSON.stringify({ alg: key.alg }), JSON.stringify(claims({ exp, ...changes })));
}
