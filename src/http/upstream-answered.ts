import { type ErrorCode, GatewayError } from '../errors.ts';

/** The upstream answered the handshake with something other than a 101: its answer is the client's answer. */
export class UpstreamAnswered extends GatewayError {
  readonly answer: {
    readonly status: number;
    readonly headers: readonly (readonly [string, string])[];
    readonly body: Buffer;
  };

  constructor(answer: UpstreamAnswered['answer']) {
    super(codeOfAnswer(answer.status), { detail: `the upstream answered ${answer.status}`, isAnswer: true });
    this.answer = answer;
  }

  override get status(): number {
    return this.answer.status;
  }
}

/** The code under which a relayed refusal is logged, and closes a WebSocket where `refuse: close` asks for one. */
function codeOfAnswer(status: number): ErrorCode {
  if (status === 401) return 'TOKEN_INVALID';
  if (status === 403) return 'FORBIDDEN';
  if (status === 404) return 'NO_ROUTE';
  if (status === 429) return 'RATE_LIMITED';
  return 'UPSTREAM_INVALID';
}
