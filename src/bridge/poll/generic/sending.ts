import type { GenericConfig } from '../../../config/poll/index.ts';
import type { SendConfig } from '../../../config/poll/requests.ts';
import type { HttpAnswer, HttpRequest } from '../../../upstream/client.ts';
import { type Batch, type EventReader, type Message, NOTHING, type Sends } from '../profile.ts';
import type { Scope } from '../values.ts';
import { compileEdit } from './edit.ts';
import { compileFraming } from './framing.ts';
import { compileBody, compileRequest } from './request.ts';
import type { SessionState } from './state.ts';
import { compileStreaming } from './streaming.ts';

const JSON_TYPE = 'application/json';

/** Compiles how messages go to the service; undefined where it takes none. */
export function compileSending(config: GenericConfig): ((state: SessionState) => Sends) | undefined {
  const { send, responseSize } = config;
  if (send === undefined) return undefined;
  const { timeout, retry, response, refusal, concurrency, order } = send;
  const request = compileMessageRequest(send);
  const replies = compileReplies(response, config);
  const refused = compileRefusal(refusal, config);
  const reads = response !== 'ignore' || refusal === 'relay';

  return (state) => ({
    timeoutMs: timeout,
    answerSize: reads ? responseSize : 'ignored',
    resends: retry === 'idempotent',
    concurrency,
    inOrder: order !== 'free',
    send([message], seq) {
      state.seq = seq;
      return request(state.with({ message }));
    },
    ...replies,
    ...(refused && { refused }),
  });
}

/** Compiles what answers are to the client. */
function compileReplies(
  response: SendConfig['response'],
  { messages: framing, responseSize }: GenericConfig,
): Pick<Sends, 'sent' | 'reader'> {
  if (response === 'ignore') return {};
  if (response === 'message' || response === 'batch') {
    const read = compileFraming(response === 'batch' ? framing : { framing: 'body', type: framing.type });
    return { sent: (answer) => messagesOnly(read(answer).messages) };
  }
  // Polls may be framed in another way.
  const own = framing.framing === response ? framing : { framing: response };
  const readerOf = compileStreaming(own, responseSize);
  // A message that is not answered is not the end, as it is of a stream that is followed.
  return { reader: (head) => (head.status === 204 ? NO_EVENTS : readerOf(head, NO_CURSORS)) };
}

const NO_EVENTS: EventReader = { push: () => [], end: () => [] };
const NO_CURSORS = { cursors: [], initialCursors: [] };

/**
 * Compiles what a refused message is to the client; undefined where it is the end. For who must prove himself anew it always
 * is, and where `codes` names it.
 */
function compileRefusal(refusal: SendConfig['refusal'], { codes }: GenericConfig): Sends['refused'] {
  if (refusal === 'close') return undefined;
  return function refused({ status, body }: HttpAnswer): Batch | undefined {
    if (status === UNAUTHORIZED || codes?.[status] !== undefined) return undefined;
    return refusal === 'ignore' ? NOTHING : messagesOnly([{ data: body.toString(), binary: false }]);
  };
}

const UNAUTHORIZED = 401;

function messagesOnly(messages: readonly Message[]): Batch {
  return { ...NOTHING, messages };
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
