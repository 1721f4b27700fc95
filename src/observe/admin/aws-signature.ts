import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Secret } from '../../config/secret.ts';
import { type Fields, readFields } from '../../http/fields.ts';

/**
 * Signature Version 4, with which AWS's SDKs sign requests: the secret does not travel, and a signature holds for one request
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
 */

/** Who may sign. */
export interface AwsKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
}

/** What is signed, besides the body. */
export type SignedHead = Pick<IncomingMessage, 'method' | 'url' | 'rawHeaders'>;

/** Says in words what is wrong with the signature of a request; undefined if nothing is. Rejects as `body` does. */
export type SignatureFault = (head: SignedHead, body: () => Promise<Buffer>) => Promise<string | undefined>;

export const AWS_SCHEME = 'AWS4-HMAC-SHA256';

/** Of the clocks, either way, as AWS has it. */
const WINDOW_MS = 5 * 60_000;
const DATE = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;
const CREDENTIAL =
  /^AWS4-HMAC-SHA256 +Credential=([^\s/,]+)\/((\d{8})\/[^\s/,]+\/[^\s/,]+\/aws4_request), *SignedHeaders=([^\s,]+), *Signature=([0-9a-f]{64})$/;
/** Without the one it would hold at any gateway, without the other for ever. */
const ALWAYS_SIGNED = ['host', 'x-amz-date'];

/** Compiles the check of signatures by one key, for whatever region and service they name. */
export function createSignatureFault(key: AwsKey, now: () => number = Date.now): SignatureFault {
  return async function signatureFault(head, body) {
    const fields = readFields(head.rawHeaders);
    const [, id, scope = '', day = '', list = '', signature = ''] =
      CREDENTIAL.exec(fields.one('authorization') ?? '') ?? [];
    if (id === undefined) return 'is malformed';
    if (id !== key.accessKeyId) return 'is by another access key';
    const names = list.split(';');
    const unsigned = ALWAYS_SIGNED.find((name) => !names.includes(name));
    if (unsigned !== undefined) return `leaves out ${unsigned}`;
    const date = fields.one('x-amz-date') ?? '';
    if (!date.startsWith(day) || !(Math.abs(now() - timeOf(date)) <= WINDOW_MS))
      return 'is not of now: both clocks are to agree within five minutes';
    // Last, since it has to be read for it.
    const request = canonical(head, fields, names, hashOf(await body()));
    const expected = sign(key, scope, [AWS_SCHEME, date, scope, hashOf(request)].join('\n'));
    return timingSafeEqual(Buffer.from(signature, 'hex'), expected)
      ? undefined
      : 'does not match the request: another secret, or a proxy has changed the request or its Host';
  };
}

/** NaN for what is no date. */
function timeOf(date: string): number {
  return Date.parse(date.replace(DATE, '$1-$2-$3T$4:$5:$6Z'));
}

function canonical(
  { method = '', url = '' }: SignedHead,
  fields: Fields,
  names: readonly string[],
  bodyHash: string,
): string {
  const [, path = '', query = ''] = /^([^?]*)\??(.*)$/.exec(url) ?? [];
  const headers = names.map((name) => `${name}:${trimmed(fields.one(name) ?? '')}\n`).join('');
  return [method, escapedPath(path), sortedQuery(query), headers, names.join(';'), bodyHash].join('\n');
}

function trimmed(value: string): string {
  return value.replace(/[ \t]+/g, ' ').replace(/^ | $/g, '');
}

/** As it is on the wire, and escaped once more: S3 alone does without. */
function escapedPath(path: string): string {
  return path.split('/').map(escaped).join('/');
}

/** By names, then values: a space comes before all that these hold. */
function sortedQuery(query: string): string {
  const pairs = [...new URLSearchParams(query)].map(([name, value]) => `${escaped(name)} ${escaped(value)}`);
  return pairs.sort().join('&').replaceAll(' ', '=');
}

/** All but the unreserved characters of RFC 3986 §2.3. */
function escaped(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The key of a signature is that of its day, region and service: `scope` names them. */
function sign({ secretAccessKey }: AwsKey, scope: string, text: string): Buffer {
  const secret = Buffer.from(`AWS4${secretAccessKey.reveal()}`);
  return hmac(scope.split('/').reduce<Buffer>(hmac, secret), text);
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function hashOf(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
