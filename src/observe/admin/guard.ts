import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { jwtVerify } from 'jose';
import { GatewayError } from '../../errors.ts';
import { readFields } from '../../http/fields.ts';

/** Lets a request pass or rejects: ADMIN_LOCKED (403), SECRET_REFUSED (401), TOO_MANY_CONNECTIONS (429), BAD_REQUEST. */
export type Guard = (request: Pick<IncomingMessage, 'rawHeaders' | 'socket'>) => Promise<void>;

/** Connections that may be kept by who knows the secret, besides those for whoever looks at the gateway. */
export const SERVICE_CONNECTIONS = 64;

/**
 * Guards what a secret is needed for; without one nobody passes. It is shown itself, or by a JWT that is signed with it and has
 * not expired (RFC 7519), as GRIP libraries show it that were given an issuer, too.
 */
export function createGuard(secret: string | undefined): Guard {
  if (secret === undefined) return locked;
  const expected = digest(secret);
  const admitSocket = createPlaces();
  const isSigned = createSignatureCheck(secret);
  return async function guard({ rawHeaders, socket }) {
    const shown = /^bearer +(\S+)$/i.exec(readFields(rawHeaders).one('authorization') ?? '')?.[1];
    if (shown === undefined || !(timingSafeEqual(digest(shown), expected) || (await isSigned(shown))))
      throw refused();
    admitSocket(socket);
  };
}

async function locked(): Promise<never> {
  throw new GatewayError('ADMIN_LOCKED');
}

/** Compiles whether a text is a JWT that this secret has signed. */
function createSignatureCheck(secret: string): (text: string) => Promise<boolean> {
  const key = Buffer.from(secret);
  // Without an end it would be another secret, which could not be told from the first.
  const options = { algorithms: ['HS256'], requiredClaims: ['exp'] };
  return async function isSigned(text) {
    return jwtVerify(text, key, options).then(
      () => true,
      () => false,
    );
  };
}

function refused(): GatewayError {
  return new GatewayError('SECRET_REFUSED', { headers: { 'www-authenticate': 'Bearer realm="admin"' } });
}

/** Of one length for every text, so that the comparison takes one time. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Services keep their connections: those beyond the bound are closed with their answer, so that there is room for others. */
function createPlaces(): (socket: Socket) => void {
  const taken = new Set<Socket>();
  return function admitSocket(socket) {
    if (taken.has(socket)) return;
    if (taken.size >= SERVICE_CONNECTIONS)
      throw new GatewayError('TOO_MANY_CONNECTIONS', { headers: { connection: 'close' } });
    taken.add(socket);
    socket.once('close', () => taken.delete(socket));
  };
}
