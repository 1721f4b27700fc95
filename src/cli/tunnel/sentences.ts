import { ConnectionError } from '../../client/index.ts';
import { UNREACHED } from './unreached.ts';

/** Why there is no connection, for the person at the terminal: what is wrong, and what to do. */

interface Entry {
  /** As a WebSocket close code; which of them may be tried again is the client library's. */
  readonly code: number;
  readonly what: string;
  readonly help: string;
}

const TIMEOUT: Entry = {
  code: 1014,
  what: 'the service did not answer the gateway in time',
  help: 'see whether it is up, and whether a firewall lies between',
};

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
    help: 'give it a valid one by --token-file, --token-command or SALLYPORT_TOKEN; the route must take it from the header (`token: [header]`)',
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
  504: TIMEOUT,
};

/** By the error token, where that says more than the code (RFC 9209 §2.3). */
const TOLD: Readonly<Record<string, Entry>> = {
  connection_timeout: TIMEOUT,
  connection_terminated: {
    code: 1014,
    what: 'the service has broken the connection',
    help: 'its own log, or that of the gateway, may say why',
  },
  http_request_error: {
    code: 1008,
    what: 'the gateway finds no target in this URL',
    help: 'say HOST:PORT where its route wants one, and nothing where it does not',
  },
};

/** The status that goes with a close code, where a failure is told in the band. */
const STATUSES: Readonly<Record<number, number>> = {
  1001: 503,
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

/** When a gateway says that another attempt may go well, as it says it at the end of a reason. */
const AGAIN = /\s*Try again in (\d+) s\.$/;

/** That, for an answer that says so in a field of its own: a number of seconds above 0. */
export function againIn(seconds: number): string {
  return ` Try again in ${seconds} s.`;
}

/** Milliseconds after which it may be tried again, where the gateway has said so; else 0. */
export function saidWait({ message }: ConnectionError): number {
  return 1_000 * Number(AGAIN.exec(message)?.[1] ?? 0);
}

/** A failed connection in a sentence. */
export function sentence(error: unknown): string {
  if (!(error instanceof ConnectionError)) return localSentence(error);
  const { message, code, error: token } = error;
  const own = message.replace(/^no new token: /, '');
  if (own.startsWith('--token-')) return own;
  if (code === LOST && token === '' && !message.startsWith(UNREACHED))
    return 'the connection to the gateway was lost, and could not go on: try again; a route with resume keeps it for a while';
  const said = message.replace(AGAIN, '');
  const [status] = /^\d{3}\b/.exec(said) ?? [];
  const entry = status === undefined ? entryOf(error) : REFUSALS[Number(status)];
  if (entry !== undefined) return `${entry.what} (${said}): ${helpOf(entry, saidWait(error))}`;
  return status === undefined ? said : `the gateway refused the handshake (${said}, code ${code})`;
}

function localSentence(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'EPIPE' ? 'whoever reads what comes has left' : message;
}

function helpOf({ help }: Entry, waitMs: number): string {
  return waitMs === 0 ? help : help.replace('try again later', `try again in ${waitMs / 1_000} s`);
}

/** Of what was told in the band. */
function entryOf({ code, error }: ConnectionError): Entry | undefined {
  return TOLD[error] ?? REFUSALS[STATUSES[code] ?? 0];
}

/** No Close has come. */
const LOST = 1006;
