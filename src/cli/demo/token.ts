import { createSecretKey } from 'node:crypto';
import { SignJWT } from 'jose';

/** Signs a token for `name` that expires in `lifeSeconds`; below zero it has expired already. */
export type Mint = (name: string, lifeSeconds: number) => Promise<string>;

/** Makes the demo's identity provider: `secret`, issuer and audience are those of config/demo.yaml. */
export function createMint(secret: string): Mint {
  const key = createSecretKey(Buffer.from(secret));
  return function mint(name, lifeSeconds) {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ scope: 'demo' })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer('https://localhost/demo')
      .setAudience('demo')
      .setSubject(name)
      .setIssuedAt(Math.min(now, now + lifeSeconds))
      .setExpirationTime(Math.floor(now + lifeSeconds))
      .sign(key);
  };
}
