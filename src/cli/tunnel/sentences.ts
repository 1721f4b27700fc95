import { ConnectionError } from '../../client/index.ts';
import { type Remedies, tlsFault } from '../../tls-fault.ts';
import { ProxyError } from './connect-through.ts';

/** Why there is no connection, for the person at the terminal: what is wrong, and what to do. */

interface Entry {
  /** As a WebSocket close code; which of them may be tried again is the client library's. */
  readonly code: number;
  readonly what: string;
  readonly help: string;
}

/** By the HTTP status of a handshake that was refused. */
const REFUSALS: Readonly<Record<number, Entry>> = {
  400: {
    code: 1002,
    what: 'the gateway does not understand the handshake',
    help: 'check the URL; a port that speaks TLS wants wss://',
  },
  401: {
    code: 3000,
    what: 'the gateway does not accept the token',
    help: 'give it a valid one by --token-file, --token-command or SALLYPORT_TOKEN',
  },
  403: {
    code: 3003,
    what: 'the gateway does not permit this',
    help: 'the token, this address or the target is not allowed there; the log of the gateway says which',
  },
  404: {
    code: 1008,
    what: 'the gateway has no route for this URL',
    help: 'check its path against `sallyport check` of the gateway',
  },
  410: { code: 1008, what: 'what this URL names has gone', help: 'ask for it anew' },
  429: {
    code: 1013,
    what: 'too many connections or requests',
    help: 'end some, or try again later; the route limits them',
  },
  502: {
    code: 1014,
    what: 'the gateway does not reach the service',
    help: 'see whether it runs; the log of the gateway says more',
  },
  503: { code: 1013, what: 'the gateway or the service is busy, or restarts', help: 'try again later' },
  504: {
    code: 1014,
    what: 'the service did not answer the gateway in time',
    help: 'see whether it is up, and whether a firewall lies between',
  },
};

/** The status that goes with a close code, where a failure is told in the band. */
const STATUSES: Readonly<Record<number, number>> = {
  1008: 429,
  1012: 503,
  1013: 503,
  1014: 502,
  3000: 401,
  3003: 403,
};

/** The close code that stands for an HTTP status, and whether it is one of the known. */
export function codeOf(status: number): number {
  return REFUSALS[status]?.code ?? (status >= 500 ? 1014 : 1002);
}

/** A failed connection in a sentence. */
export function sentence(error: unknown): string {
  if (!(error instanceof ConnectionError)) return error instanceof Error ? error.message : String(error);
  const { message, code } = error;
  const own = message.replace(/^no new token: /, '');
  if (own.startsWith('--token-')) return own;
  if (code === LOST && !message.startsWith(UNREACHED))
    return 'the connection to the gateway was lost, and could not go on: try again; a route with resume keeps it for a while';
  const [, said] = /^(\d{3})\b/.exec(message) ?? [];
  const entry = REFUSALS[said === undefined ? statusOf(error) : Number(said)];
  if (entry !== undefined) return `${entry.what} (${message}): ${entry.help}`;
  return said === undefined ? message : `the gateway refused the handshake (${message}, code ${code})`;
}

function statusOf({ code, error }: ConnectionError): number {
  return error === 'connection_timeout' ? 504 : (STATUSES[code] ?? 0);
}

/** No Close has come. */
const LOST = 1006;
const UNREACHED = 'no connection to ';

const REMEDIES: Remedies = {
  plain: 'ws://',
  authority: 'name a file with the one that has by --ca',
  name: 'write a name that it has in the URL',
};

/** What a gateway says of certificates of clients, by its TLS. */
const UNCERTIFIED = /ALERT_CERTIFICATE_REQUIRED|ALERT_HANDSHAKE_FAILURE/;
const MISCERTIFIED = /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_(EXPIRED|REVOKED|UNKNOWN)|ACCESS_DENIED)/;

/** Why the gateway was not reached at all; `isCertified`: it was shown a certificate. */
export function unreached(thrown: Error, host: string, isCertified = false): string {
  const { code, message } = tlsFault(thrown, REMEDIES) as NodeJS.ErrnoException;
  const what = UNREACHED + host;
  if (thrown instanceof ProxyError) return `${what}: ${message}`;
  if (code === 'ECONNREFUSED') return `${what}: nothing listens there; see whether the gateway runs`;
  if (code === 'ENOTFOUND') return `${what}: there is no such name; check the URL`;
  if (UNCERTIFIED.test(`${code}`) && !isCertified)
    return `${what}: it asks for a certificate: name yours by --cert and --key`;
  if (MISCERTIFIED.test(`${code}`)) return `${what}: it does not accept the certificate of --cert`;
  if (code === 'ECONNRESET')
    return `${what}: it has hung up; ${isCertified ? 'it may not accept the certificate of --cert' : 'see whether a gateway answers there'}`;
  return `${what}: ${message || code}`;
}
