import { createHash, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { jwtVerify } from 'jose';
import { GatewayError } from '../../errors.ts';
import { readFields } from '../../http/fields.ts';
import { AWS_SCHEME, type AwsKey, createSignatureFault } from './aws-signature.ts';
import type { Question } from './page.ts';

/** Lets a request pass or rejects: ADMIN_LOCKED (403), SECRET_REFUSED (401), TOO_MANY_CONNECTIONS (429), BAD_REQUEST. */
export type Guard = (question: Pick<Question, 'request' | 'body'>) => Promise<void>;

/** What is to be shown; either is enough. */
export interface AdminSecrets {
  readonly secret?: string | undefined;
  readonly aws?: AwsKey | undefined;
}

/** Connections that may be kept by who knows the secret, besides those for whoever looks at the gateway. */
const SERVICE_CONNECTIONS = 64;

/** How many connections there may be of services that push: none where nobody can. */
export function serviceConnections(secrets: AdminSecrets | undefined): number {
  return secrets?.secret === undefined && secrets?.aws === undefined ? 0 : SERVICE_CONNECTIONS;
}

/** Rejects with SECRET_REFUSED. */
type Check = (question: Parameters<Guard>[0], authorization: string) => Promise<void>;

/**
 * Guards what a secret is needed for; without one nobody passes. It is shown itself, or by a JWT that is signed with it and has
 * not expired (RFC 7519), as GRIP libraries show it that were given an issuer, too; or the request is signed as AWS's SDKs do.
 */
export function createGuard({ secret, aws }: AdminSecrets): Guard {
  const checkBearer = secret === undefined ? undefined : createBearerCheck(secret);
  const checkSignature = aws && createSignatureCheck(aws);
  const fallback = checkBearer ?? checkSignature;
  if (fallback === undefined) return locked;
  const admitSocket = createPlaces();
  return async function guard(question) {
    const authorization = readFields(question.request.rawHeaders).one('authorization') ?? '';
    const isSigned = authorization.startsWith(`${AWS_SCHEME} `);
    await ((isSigned && checkSignature) || fallback)(question, authorization);
    admitSocket(question.request.socket);
  };
}

async function locked(): Promise<never> {
  throw new GatewayError('ADMIN_LOCKED');
}

function createBearerCheck(secret: string): Check {
  const expected = digest(secret);
  const isSigned = createJwtCheck(secret);
  return async function checkBearer(_question, authorization) {
    const shown = /^bearer +(\S+)$/i.exec(authorization)?.[1];
    if (shown === undefined || !(timingSafeEqual(digest(shown), expected) || (await isSigned(shown))))
      throw new GatewayError('SECRET_REFUSED', { headers: { 'www-authenticate': 'Bearer realm="admin"' } });
  };
}

/** Compiles whether a text is a JWT that this secret has signed. */
function createJwtCheck(secret: string): (text: string) => Promise<boolean> {
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

function createSignatureCheck(key: AwsKey): Check {
  const faultOf = createSignatureFault(key);
  return async function checkSignature({ request, body }, authorization) {
    const fault = authorization === '' ? 'is missing' : await faultOf(request, body);
    if (fault === undefined) return;
    const sentence = `The signature with the key of admin.aws ${fault}.`;
    throw new GatewayError('SECRET_REFUSED', { sentence, headers: { 'www-authenticate': AWS_SCHEME } });
  };
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
