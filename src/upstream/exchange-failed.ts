import type { IncomingHttpHeaders } from 'node:http';

/**
 * Why an exchange brought no complete answer: `broken` is one that was cut, `undecodable` one whose Content-Encoding
 * nobody knows or whose bytes are not what that says.
 */
export type FailureKind = 'unreachable' | 'timeout' | 'broken' | 'too big' | 'undecodable' | 'aborted';

/** An exchange that brought no complete answer. */
export class ExchangeFailed extends Error {
  /** The head of the answer, where only the rest of it has not come. */
  head?: { readonly status: number; readonly headers: IncomingHttpHeaders };
  readonly kind: FailureKind;
  /** The service cannot have acted on the request: sending it again cannot double it. */
  readonly unsent: boolean;

  constructor(kind: FailureKind, unsent: boolean, cause?: unknown) {
    super(`the exchange failed: ${kind}`, { cause });
    this.name = 'ExchangeFailed';
    this.kind = kind;
    this.unsent = unsent;
  }

  /** Another try of the same request would fail in the same way. */
  get isFinal(): boolean {
    return this.kind === 'too big' || this.kind === 'undecodable';
  }
}
