import type { ErrorCode, GatewayError } from '../../errors.ts';

/** How failures are told to clients of TCP services: by the proxy error types of RFC 9209 §2.3. */

const TOKENS: Partial<Readonly<Record<ErrorCode, string>>> = {
  TARGET_REFUSED: 'destination_ip_prohibited',
  TARGET_MALFORMED: 'http_request_error',
  TARGET_FIXED: 'http_request_error',
  UPSTREAM_REFUSED: 'connection_refused',
  UPSTREAM_LOST: 'connection_terminated',
  UPSTREAM_TIMEOUT: 'connection_timeout',
  UPSTREAM_OUTAGE: 'destination_unavailable',
  NO_HEALTHY_UPSTREAM: 'destination_unavailable',
  ROUTE_FULL: 'connection_limit_reached',
  GATEWAY_FULL: 'connection_limit_reached',
  TOO_MANY_CONNECTIONS: 'connection_limit_reached',
  PEER_STALLED: 'connection_write_timeout',
  IDLE: 'connection_read_timeout',
  PROTOCOL_ERROR: 'http_protocol_error',
  MESSAGE_TOO_BIG: 'http_protocol_error',
  CREDIT_EXCEEDED: 'http_protocol_error',
  INTERNAL: 'proxy_internal_error',
};

/** Node's, its resolver's and the system's names of what went wrong while a service was dialled. */
const CAUSES: Readonly<Record<string, string>> = {
  ENOTFOUND: 'dns_error',
  ENODATA: 'dns_error',
  ESERVFAIL: 'dns_error',
  EREFUSED: 'dns_error',
  EAI_AGAIN: 'dns_error',
  ETIMEOUT: 'dns_timeout',
  ECONNRESET: 'connection_terminated',
  ETIMEDOUT: 'connection_timeout',
  EHOSTUNREACH: 'destination_ip_unroutable',
  ENETUNREACH: 'destination_ip_unroutable',
  EADDRNOTAVAIL: 'destination_ip_unroutable',
};

/** What of a cause says what it is. */
type Cause = { readonly code?: unknown; readonly cause?: unknown };

const MAX_CAUSES = 5;

/** The error token of a failure: that of what lay beneath it where a dial has failed. */
export function tokenOf(error: GatewayError): string {
  const { code, status } = error;
  const beneath = code === 'UPSTREAM_REFUSED' ? tokenOfCauses(error) : undefined;
  const general = status < 500 ? 'http_request_denied' : 'proxy_internal_response';
  return beneath ?? TOKENS[code] ?? general;
}

function tokenOfCauses(error: GatewayError): string | undefined {
  let at: unknown = error.cause;
  for (let left = MAX_CAUSES; left > 0 && typeof at === 'object' && at !== null; left--) {
    const token = tokenOfCause(at);
    if (token !== undefined) return token;
    at = (at as Cause).cause;
  }
  return undefined;
}

function tokenOfCause({ code }: Cause): string | undefined {
  if (typeof code !== 'string') return undefined;
  if (/CERT|ALTNAME|SELF_SIGNED|UNABLE_TO/.test(code)) return 'tls_certificate_error';
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') return 'tls_protocol_error';
  return CAUSES[code];
}

/** The field that tells a client of connect-tcp why it is refused (RFC 9209 §2). */
export function proxyStatus(error: GatewayError): Record<string, string> {
  return { 'proxy-status': `sallyport; error=${tokenOf(error)}` };
}
