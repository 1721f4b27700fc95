import type { GenericConfig } from '../../../config/poll/index.ts';
import type { HttpAnswer, HttpRequest } from '../../../upstream/client.ts';
import type { Batch, Polls } from '../profile.ts';
import { compileFraming, type Reading } from './framing.ts';
import { compileRequest } from './request.ts';
import { compileSource, required, withCursor } from './source.ts';
import type { SessionState } from './state.ts';

const EMPTY: Reading = { messages: [], document: () => undefined };

/** Compiles how a session is polled; undefined where it is not. */
export function compileReceiving(config: GenericConfig): ((state: SessionState) => Polls) | undefined {
  const { poll, cursor, responseSize } = config;
  if (poll === undefined) return undefined;
  const requestIn = compileRequest(poll);
  const readMessages = compileFraming(config.messages);
  const cursorOf = cursor && compileSource(cursor.from);

  function request(state: SessionState): HttpRequest {
    const base = requestIn(state);
    return state.cursor === undefined ? base : withCursor(base, state.cursor, cursor?.send);
  }

  function read(answer: HttpAnswer, state: SessionState): Batch {
    const { messages, document } = answer.status < 300 ? readMessages(answer) : EMPTY;
    if (cursorOf === undefined) return { messages, cursor: 'none', commit() {} };
    const next = cursorOf(answer, document);
    // The same cursor again would bring the same messages again, for ever.
    if (messages.length > 0) required(next, 'cursor');
    return {
      messages,
      cursor: next !== undefined && next !== state.cursor ? 'moved' : 'unmoved',
      commit() {
        state.cursor = next ?? state.cursor;
      },
    };
  }

  return (state) => ({
    mode: 'answers',
    holdMs: poll.hold,
    marginMs: poll.margin,
    answerSize: responseSize,
    repeats: true,
    poll: () => request(state),
    polled: (answer) => read(answer, state),
  });
}
