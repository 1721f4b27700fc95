import type { GenericConfig } from '../../../config/poll/index.ts';
import type { SendConfig } from '../../../config/poll/requests.ts';
import type { HttpAnswer, HttpRequest } from '../../../upstream/client.ts';
import { type Batch, type Message, NOTHING, type Sends } from '../profile.ts';
import type { Scope } from '../values.ts';
import { compileEdit } from './edit.ts';
import { compileFraming } from './framing.ts';
import { compileBody, compileRequest } from './request.ts';
import type { SessionState } from './state.ts';

const JSON_TYPE = 'application/json';

/** Compiles how messages go to the service; undefined where it takes none. */
export function compileSending({
  send,
  responseSize,
}: GenericConfig): ((state: SessionState) => Sends) | undefined {
  if (send === undefined) return undefined;
  const { timeout, retry, response } = send;
  const request = compileMessageRequest(send);
  const readWhole = compileFraming({ framing: 'body' });
  const sent = (answer: HttpAnswer): Batch => ({ ...NOTHING, messages: readWhole(answer).messages });

  return (state) => ({
    timeoutMs: timeout,
    answerSize: response === 'message' ? responseSize : 'ignored',
    resends: retry === 'idempotent',
    concurrency: 1,
    inOrder: true,
    send([message], seq) {
      state.seq = seq;
      return request(state.with({ message }));
    },
    ...(response === 'message' && { sent }),
  });
}

/** Compiles the request that takes a message, which it throws UNSUPPORTED_DATA for if `body` cannot take it. */
function compileMessageRequest({ body, text, binary, ...rest }: SendConfig): (scope: Scope) => HttpRequest {
  const request = compileRequest(rest);
  const write = compilePayload(body, text ?? JSON_TYPE);
  const textType = text ?? (body === undefined ? 'text/plain; charset=utf-8' : JSON_TYPE);
  const binaryType = binary ?? 'application/octet-stream';
  return function messageRequest(scope) {
    const { headers, ...base } = request(scope);
    const type = scope.message?.binary ? binaryType : textType;
    return { ...base, headers: { ...headers, 'content-type': type }, ...write(scope) };
  };
}

function compilePayload(
  body: SendConfig['body'],
  type: string,
): (scope: Scope) => { body?: Message['data'] } {
  if (body === undefined) return ({ message }) => (message ? { body: message.data } : {});
  const write = typeof body === 'string' ? compileBody(body, type) : compileEdit(body);
  return (scope) => ({ body: write(scope) });
}
