import { createHmac } from 'node:crypto';

/** As Pushpin has it: a service whose clock is wrong by minutes still takes it. */
const LIFETIME_S = 3600;
const KEPT_S = 60;

export interface SignatureConfig {
  readonly secret: string;
  readonly issuer: string;
}

/**
 * Signs requests as a GRIP proxy does, with a JWT (RFC 7519) by HS256 in `Grip-Sig`, for services that only believe the
 * gateway. A secret that begins with `base64:` is bytes. Signing is one hash: a request need not wait for `jose`.
 */
export function createSigner({ secret, issuer }: SignatureConfig, now = Date.now): () => string {
  const key = secret.startsWith('base64:') ? Buffer.from(secret.slice(7), 'base64') : secret;
  let signature = '';
  let signedAt = -Infinity;

  function sign(seconds: number): string {
    const head = coded({ alg: 'HS256', typ: 'JWT' });
    const text = `${head}.${coded({ iss: issuer, exp: seconds + LIFETIME_S })}`;
    return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
  }

  return function currentSignature() {
    const seconds = Math.floor(now() / 1000);
    if (Math.abs(seconds - signedAt) >= KEPT_S) {
      signedAt = seconds;
      signature = sign(seconds);
    }
    return signature;
  };
}

function coded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
