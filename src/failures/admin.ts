import type { Failure } from './failure.ts';

/** What operators and services are told that call the admin listener, and clients of what these did. */
export const ADMIN_FAILURES = {
  HOST_REFUSED: {
    status: 403,
    close: 3003,
    sentence: 'The admin listener does not answer to this name; admin.names lists those it does.',
  },
  ADMIN_LOCKED: {
    status: 403,
    close: 3003,
    sentence: 'Nothing can be pushed or changed here until admin.secret or admin.aws is set.',
  },
  SECRET_REFUSED: {
    status: 401,
    close: 3000,
    sentence:
      'The secret of the admin listener is required: Authorization: Bearer, and what admin.secret says.',
  },
  CONNECTION_GONE: { status: 410, close: 1008, sentence: 'There is no such connection, or it has ended.' },
  PUSH_REFUSED: {
    status: 409,
    close: 1003,
    sentence: 'Messages can be pushed to connections of poll and post upstreams only.',
  },
  PUSH_TOO_BIG: { status: 413, close: 1009, sentence: 'What is pushed has at most 1 MiB.' },
  PUSHES_FULL: {
    status: 429,
    close: 1013,
    sentence: 'The client reads too slowly: queueSize bytes wait for it already.',
    retryAfter: 1,
  },
  REVOCATIONS_FULL: {
    status: 503,
    close: 1013,
    sentence: 'As many are revoked as can be remembered: 100,000.',
  },
  REVOCATION_UNKNOWN: { status: 404, close: 1008, sentence: 'This was not revoked, or is forgotten by now.' },
  SESSION_KILLED: { status: 403, close: 1008, sentence: 'The session was ended by an operator.' },
} as const satisfies Record<string, Failure>;
