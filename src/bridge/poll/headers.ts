import { headerClass } from '../../http/header-classes.ts';
import type { AdmittedRequest } from '../../upstream/forward.ts';

/** Ours to say on every request, besides the fields that no proxy passes on. */
const OURS = new Set([
  'accept-encoding',
  'content-encoding',
  'content-type',
  'idempotency-key',
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
  const passed = new Set(
    [...allowed, ...identity].filter((name) => !OURS.has(name) && headerClass(name) === undefined),
  );
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
