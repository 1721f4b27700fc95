import { messageOf } from '../../causes.ts';
import { GatewayError } from '../../errors.ts';

/** One thing that a configuration names and that only the network can tell of. */
export interface Trial {
  readonly target: string;
  /** What in the configuration names it: `route chat`. */
  readonly of: string;
  /** Resolves with what was found; rejects with why it cannot be used, and when `signal` aborts. Leaves nothing open. */
  run(signal: AbortSignal): Promise<string>;
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOENT: 'there is no such socket',
  ENOTFOUND: 'its name has no address',
  EHOSTUNREACH: 'no way leads there',
  ENETUNREACH: 'no way leads there',
  ECONNRESET: 'it closes the connection without an answer',
  UPSTREAM_LOST: 'it closes the connection without an answer',
  CERT_HAS_EXPIRED: 'its certificate has expired',
};

/** Why something failed, in a few words: the innermost cause that is known tells most. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, name, cause } = error as NodeJS.ErrnoException;
  if (name === 'TimeoutError') return 'no answer in time';
  if (error instanceof GatewayError && code === 'UPSTREAM_TIMEOUT') return timeoutText(error);
  const known = REASONS[code ?? ''];
  if (known !== undefined && !(cause instanceof Error)) return known;
  if (cause instanceof Error) return reasonOf(cause);
  return error instanceof GatewayError ? (error.detail ?? error.message) : messageOf(error);
}

/** Where nothing has been said yet there is no more to tell. */
function timeoutText({ detail }: GatewayError): string {
  return detail === undefined || detail === 'while connecting'
    ? 'no answer in time'
    : `no answer in time ${detail}`;
}
