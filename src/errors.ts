import { ERROR_CODES, type ErrorCode, FAILURES, type Failure } from './failures.ts';
import { type LimitHit, limitDetail, limitSentence } from './limit-hit.ts';

export { ERROR_CODES, type ErrorCode } from './failures.ts';

interface Details {
  /** What went wrong beneath: goes to the log, never to the client. */
  readonly cause?: unknown;
  /** Why, in words, for the log only. Never put a token in it. */
  readonly detail?: string;
  /** The limit that was hit: the sentence and, unless given, the detail name it. */
  readonly limit?: LimitHit | undefined;
  /** In place of the table's, where a refusal says the same in another way: a redirect to where people sign in. */
  readonly status?: number;
  /** In place of the table's, where the configuration says so or a limit is to be named. */
  readonly close?: number | undefined;
  /** In place of the table's: at most 123 bytes, and nothing that the client may not know. */
  readonly sentence?: string | undefined;
  /** In place of the sentence as text, where a protocol has a form for it. ASCII. */
  readonly json?: object | undefined;
  /** Extra response headers, e.g. WWW-Authenticate. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The upstream has answered as it will answer this request again: it is alive, and another one is not asked. */
  readonly isAnswer?: boolean;
}

/** A target that was dialled in vain, by its name, and why. */
export interface DialFailure {
  readonly target: string;
  readonly error: GatewayError;
}

/** A target that a client has named, for the log. */
export interface ChosenTarget {
  /** `host:port` in the client's words; undefined where the name may be a secret, or is none. */
  readonly asked?: string | undefined;
  /** What allows it: the rule, or the name in the table. */
  readonly rule?: string | undefined;
}

/**
 * The only error that refuses a request or ends a session on purpose. Throw it anywhere on the path of a
 * connection; `handshake.ts` answers it before the 101, `session/` ends with it afterwards.
 */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly isAnswer: boolean;
  /** What an HTTP answer says in its body; undefined: code and sentence as text. */
  readonly json: object | undefined;
  /** What became of the targets dialled, in order: for the log. The dialler sets it. */
  dials: readonly DialFailure[] | undefined;
  /** What was asked for, where clients name their targets: for the log. Who looks for it sets it. */
  chosen: ChosenTarget | undefined;
  readonly #status: number | undefined;
  readonly #close: number | undefined;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, details: Details = {}) {
    const { stackTraceLimit } = Error;
    // Taking down the stack is dear, and nobody is told it but for a fault of our own: refusals come in floods.
    if (code !== 'INTERNAL') Error.stackTraceLimit = 0;
    const general = details.limit ? limitSentence(details.limit) : FAILURES[code].sentence;
    const sentence = details.sentence ?? general;
    super(sentence, details.cause === undefined ? undefined : { cause: details.cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'GatewayError';
    this.code = code;
    this.detail = details.detail ?? (details.limit && limitDetail(details.limit));
    this.isAnswer = details.isAnswer ?? false;
    this.json = details.json;
    this.#status = details.status;
    this.#close = details.close;
    this.#headers = details.headers ?? {};
  }

  get status(): number {
    return this.#status ?? FAILURES[this.code].status;
  }

  get close(): number {
    return this.#close ?? FAILURES[this.code].close;
  }

  /** Whose fault it is; `gateway` for what the gateway decided. */
  get source(): 'client' | 'upstream' | 'gateway' {
    const { source }: Failure = FAILURES[this.code];
    return source ?? 'gateway';
  }

  /** Headers the refusal must carry, Retry-After included where waiting helps. Names in lower case. */
  get headers(): Record<string, string> {
    const { retryAfter }: Failure = FAILURES[this.code];
    return { ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }), ...this.#headers };
  }
}

/** Wraps anything thrown into a GatewayError; what nobody foresaw becomes INTERNAL, with its cause kept for the log. */
export function asGatewayError(thrown: unknown): GatewayError {
  return thrown instanceof GatewayError ? thrown : new GatewayError('INTERNAL', { cause: thrown });
}

/** `thrown` came about because the client has left; what was dialled for it stays known. */
export function clientLost(thrown: unknown): GatewayError {
  const error = new GatewayError('CLIENT_LOST', { cause: thrown });
  if (thrown instanceof GatewayError) {
    error.dials = thrown.dials;
    error.chosen = thrown.chosen;
  }
  return error;
}

/** Made once: a log line of a refusal costs no more for it. */
const HELP = Object.fromEntries(
  ERROR_CODES.map((code) => [code, `config/ERRORS.md#${code.toLowerCase().replaceAll('_', '-')}`]),
) as Readonly<Record<ErrorCode, string>>;

/** Where it is said what a failure means, and what to do: a place in the documents that come with the program. */
export function helpFor(code: ErrorCode): string {
  return HELP[code];
}
