import { type ErrorCode, GatewayError } from '../errors.ts';
import type { HeaderField } from './request.ts';

/** A refusal that is somebody else's answer, and goes to the client as such. */

interface Answer {
  readonly status: number;
  readonly headers: readonly HeaderField[];
  readonly body: Buffer;
}

/** Who has answered. */
type Answerer = 'the upstream' | 'the auth service';

/** The upstream, or the service that was asked about the client, has refused: its answer is the client's answer. */
export class RelayedAnswer extends GatewayError {
  readonly answer: Answer;

  constructor(answer: Answer, by: Answerer = 'the upstream') {
    super(codeOfAnswer(answer.status, by), { detail: `${by} answered ${answer.status}`, isAnswer: true });
    this.answer = answer;
  }

  override get status(): number {
    return this.answer.status;
  }
}

/** The code under which a relayed refusal is logged, and closes a WebSocket where `refuse: close` asks for one. */
function codeOfAnswer(status: number, by: Answerer): ErrorCode {
  if (status === 401) return 'TOKEN_INVALID';
  if (status === 403) return 'FORBIDDEN';
  // It sends the client to where it signs in.
  if (by === 'the auth service') return 'TOKEN_MISSING';
  if (status === 404) return 'UPSTREAM_NOT_FOUND';
  if (status === 429) return 'RATE_LIMITED';
  return 'UPSTREAM_INVALID';
}
