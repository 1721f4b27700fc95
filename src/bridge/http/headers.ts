import type { AdmittedRequest } from '../../request.ts';

/** Ours to say on every request, or of no meaning on one that we make ourselves. */
const RESERVED = new Set([
  'accept-encoding',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'idempotency-key',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-connection-id',
]);

/** Set by the gateway itself, so true whatever the client sent. */
const TOLD_BY_US = /^(x-forwarded-(for|host|proto|port)|forwarded|x-request-id)$/;

/**
 * Compiles which fields of the handshake go with every request of its session: `allowed` and `identity` (names in
 * lower case), who the client is and by which way it came. Adds `x-connection-id`, the same for the whole session.
 */
export function compileHeaders(
  allowed: readonly string[],
  identity: readonly string[],
): (request: AdmittedRequest) => Record<string, string> {
  const passed = new Set([...allowed, ...identity].filter((name) => !RESERVED.has(name)));
  return function sessionHeaders(request) {
    const headers: Record<string, string> = {
      'accept-encoding': 'identity',
      'x-connection-id': request.id,
    };
    for (const [field, value] of request.upstreamHeaders) {
      const name = field.toLowerCase();
      if (passed.has(name) || TOLD_BY_US.test(name)) headers[name] = joined(name, headers[name], value);
    }
    return headers;
  };
}

/** Fields of one name in one (RFC 9110 §5.3); cookies have a separator of their own (RFC 9113 §8.2.3). */
function joined(name: string, before: string | undefined, value: string): string {
  if (before === undefined) return value;
  return `${before}${name === 'cookie' ? '; ' : ', '}${value}`;
}
