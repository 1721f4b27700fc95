import type { GenericConfig } from '../../../config/poll/index.ts';
import type { HttpAnswer, HttpRequest } from '../../../upstream/client.ts';
import { type Batch, type Message, NOTHING, type Sends } from '../profile.ts';
import { compileFraming } from './framing.ts';
import type { SessionState } from './state.ts';
import { compileTemplate } from './template.ts';

/** Compiles how messages go to the service; undefined where it takes none. */
export function compileSending({
  send,
  responseSize,
}: GenericConfig): ((state: SessionState) => Sends) | undefined {
  if (send === undefined) return undefined;
  const { method, text, binary, timeout, retry, response } = send;
  const path = compileTemplate(send.path);
  const readWhole = compileFraming({ framing: 'body' });
  const sent = (answer: HttpAnswer): Batch => ({ ...NOTHING, messages: readWhole(answer).messages });

  function request(state: SessionState, message?: Message): HttpRequest {
    return {
      method,
      path: state.fill(path),
      headers: { 'content-type': message?.binary ? binary : text },
      ...(message && { body: message.data }),
    };
  }

  return (state) => ({
    timeoutMs: timeout,
    answerSize: response === 'message' ? responseSize : 'ignored',
    resends: retry === 'idempotent',
    concurrency: 1,
    inOrder: true,
    send: ([message]) => request(state, message),
    ...(response === 'message' && { sent }),
  });
}
