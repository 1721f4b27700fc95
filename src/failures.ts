import { ADMIN_FAILURES } from './failures/admin.ts';
import type { Failure } from './failures/failure.ts';

export type { Failure };

/**
 * Every way a connection can fail, in one table: code -> HTTP status before the 101, close code after it, and
 * the one sentence a client is told. Status and close codes appear nowhere else in the source.
 *
 * Close codes: RFC 6455 §7.4.1 and the IANA WebSocket Close Code Number Registry.
 */

export const FAILURES = {
  BAD_REQUEST: { status: 400, close: 1002, sentence: 'The request is malformed.' },
  PROTOCOL_UNKNOWN: {
    status: 400,
    close: 1002,
    sentence:
      'None of the subprotocols that were offered is known here: `protocols` of the route lists them.',
  },
  UPGRADE_REQUIRED: {
    status: 426,
    close: 1002,
    sentence: 'This address takes WebSocket handshakes (version 13) only.',
  },
  METHOD_NOT_ALLOWED: { status: 405, close: 1002, sentence: 'This method is not served here.' },
  HEADERS_TOO_LARGE: { status: 431, close: 1002, sentence: 'The request has too many or too large headers.' },
  REQUEST_TIMEOUT: { status: 408, close: 1002, sentence: 'The request did not arrive in time.' },
  TLS_REQUIRED: { status: 400, close: 1002, sentence: 'This port speaks TLS: use https or wss.' },
  NO_ROUTE: { status: 404, close: 1008, sentence: 'No route leads here.' },
  UPGRADE_NOT_SERVED: { status: 404, close: 1008, sentence: 'This address takes no WebSocket handshakes.' },
  ORIGIN_REFUSED: { status: 403, close: 3003, sentence: 'This origin may not connect here.' },
  ADDRESS_REFUSED: { status: 403, close: 3003, sentence: 'This address may not connect here.' },
  MISDIRECTED: { status: 421, close: 3003, sentence: 'This host name is not served here.' },
  CERTIFICATE_REFUSED: {
    status: 403,
    close: 3003,
    sentence: 'A client certificate that may connect here is required.',
  },
  ...ADMIN_FAILURES,
  BODY_TOO_BIG: { status: 413, close: 1009, sentence: 'The body has more bytes than are taken here.' },
  FORBIDDEN: { status: 403, close: 3003, sentence: 'The token does not permit this.' },
  TARGET_REFUSED: {
    status: 403,
    close: 3003,
    sentence: 'This target is not allowed, or there is none of that name.',
  },
  TARGET_MALFORMED: {
    status: 400,
    close: 1008,
    sentence: 'The target is missing or malformed: host:port is expected, IPv6 in brackets.',
  },
  TARGET_FIXED: {
    status: 400,
    close: 1008,
    sentence: 'This address leads to one service, and ?address= names another: leave it out.',
  },
  TOKEN_MISSING: { status: 401, close: 3000, sentence: 'A token is required.' },
  TOKEN_INVALID: { status: 401, close: 3000, sentence: 'The token is not valid.' },
  TOKEN_EXPIRED: { status: 401, close: 3000, sentence: 'The token has expired.' },
  TICKET_INVALID: { status: 401, close: 3000, sentence: 'The ticket is not valid; ask for a new one.' },
  RATE_LIMITED: {
    status: 429,
    close: 1008,
    sentence: 'Too many requests or messages; slow down.',
    retryAfter: 1,
    source: 'client',
  },
  TOO_MANY_CONNECTIONS: { status: 429, close: 1013, sentence: 'Too many open connections.', retryAfter: 5 },
  TOO_MANY_REQUESTS: {
    status: 429,
    close: 1013,
    sentence: 'Too many requests at a time.',
    retryAfter: 1,
    source: 'client',
  },
  ROUTE_FULL: { status: 503, close: 1013, sentence: 'This address is busy; try again later.', retryAfter: 1 },
  GATEWAY_FULL: {
    status: 503,
    close: 1013,
    sentence: 'The gateway is full; try again later.',
    retryAfter: 5,
  },
  UPSTREAM_REFUSED: {
    status: 502,
    close: 1014,
    sentence: 'The upstream could not be reached.',
    source: 'upstream',
  },
  UPSTREAM_NOT_FOUND: {
    status: 404,
    close: 1008,
    sentence: 'The upstream has nothing at this address.',
    source: 'upstream',
  },
  UPSTREAM_LOST: {
    status: 502,
    close: 1014,
    sentence: 'The upstream ended the connection unexpectedly.',
    source: 'upstream',
  },
  UPSTREAM_INVALID: {
    status: 502,
    close: 1014,
    sentence: 'The upstream gave an invalid answer.',
    source: 'upstream',
  },
  UPSTREAM_TIMEOUT: {
    status: 504,
    close: 1014,
    sentence: 'The upstream did not answer in time.',
    source: 'upstream',
  },
  UPSTREAM_OUTAGE: {
    status: 503,
    close: 1013,
    sentence: 'The upstream is out of service; try again later.',
    retryAfter: 5,
    source: 'upstream',
  },
  SERVICE_REFUSED: {
    status: 502,
    close: 1014,
    sentence: 'The service refused to go on.',
    source: 'upstream',
  },
  NO_HEALTHY_UPSTREAM: { status: 503, close: 1012, sentence: 'No upstream could be reached.', retryAfter: 5 },
  DRAINING: { status: 503, close: 1012, sentence: 'The gateway is restarting.', retryAfter: 5 },
  GOING_AWAY: { status: 503, close: 1001, sentence: 'The gateway is shutting down.', retryAfter: 5 },
  KEYS_UNAVAILABLE: {
    status: 503,
    close: 1013,
    sentence: 'Tokens cannot be checked at the moment.',
    retryAfter: 5,
  },
  TOKEN_REVOKED: { status: 401, close: 3000, sentence: 'The token was revoked.' },
  LOGOUT_REFUSED: {
    status: 400,
    close: 1008,
    sentence: 'The logout token does not count here, or not again.',
  },
  STORE_UNAVAILABLE: {
    status: 503,
    close: 1013,
    sentence: 'What gateways share cannot be asked for at the moment.',
    retryAfter: 5,
  },
  AUTH_UNAVAILABLE: {
    status: 503,
    close: 1013,
    sentence: 'Who you are cannot be checked at the moment.',
    retryAfter: 5,
  },
  MESSAGE_TOO_BIG: { status: 400, close: 1009, sentence: 'The message is too big.', source: 'client' },
  PROTOCOL_ERROR: {
    status: 400,
    close: 1002,
    sentence: 'The peer broke the WebSocket protocol.',
    source: 'client',
  },
  INVALID_PAYLOAD: {
    status: 400,
    close: 1007,
    sentence: 'The payload is not valid UTF-8.',
    source: 'client',
  },
  UNSUPPORTED_DATA: {
    status: 400,
    close: 1003,
    sentence: 'This kind of message is not accepted here.',
    source: 'client',
  },
  CREDIT_EXCEEDED: {
    status: 400,
    close: 1008,
    sentence: 'More was sent than there was credit for.',
    source: 'client',
  },
  RESUME_GONE: {
    status: 410,
    close: 4410,
    sentence: 'The session that was to be resumed is over: begin a new one, with another resume token.',
    source: 'client',
  },
  RESUMED_ELSEWHERE: {
    status: 409,
    close: 4409,
    sentence: 'The session goes on with another connection that had its resume token.',
    source: 'client',
  },
  PEER_STALLED: { status: 503, close: 1013, sentence: 'The peer stopped reading.', source: 'client' },
  PEER_SILENT: { status: 503, close: 1001, sentence: 'The peer stopped answering pings.', source: 'client' },
  CLIENT_LOST: { status: 400, close: 1001, sentence: 'The client vanished.', source: 'client' },
  IDLE: { status: 503, close: 1001, sentence: 'The connection was idle for too long.' },
  LIFETIME: { status: 503, close: 1001, sentence: 'The connection reached its maximum lifetime.' },
  INTERNAL: { status: 500, close: 1011, sentence: 'The gateway failed.' },
} as const satisfies Record<string, Failure>;

export type ErrorCode = keyof typeof FAILURES;

/** All codes, in the table's order. */
export const ERROR_CODES = Object.keys(FAILURES) as readonly ErrorCode[];
