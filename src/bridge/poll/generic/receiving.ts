import type { GenericConfig } from '../../../config/poll/index.ts';
import type { MessagesConfig } from '../../../config/poll/messages.ts';
import type { PollsConfig } from '../../../config/poll/polls.ts';
import type { HttpAnswer, HttpRequest } from '../../../upstream/client.ts';
import type { Batch, Polls, Streams } from '../profile.ts';
import { compileBackoff } from './asked-wait.ts';
import { type CursorRules, compileCursors, hasMoved } from './cursor.ts';
import { compileEnd, NO_MORE } from './end.ts';
import { compileFraming, EMPTY, type Reading } from './framing.ts';
import { invalid } from './invalid.ts';
import { jsonIn } from './items.ts';
import { compileReceipt } from './receipt.ts';
import { compileRequest } from './request.ts';
import type { SessionState } from './state.ts';
import { compileStreaming, RESET_WAIT_MS } from './streaming.ts';

const MARGIN_MS = 5_000;
const SILENCE_MS = 60_000;

/** Compiles how a session receives; undefined where it does not. */
export function compileReceiving(
  config: GenericConfig,
): ((state: SessionState) => Polls | Streams) | undefined {
  const { poll, responseSize } = config;
  if (poll === undefined) return undefined;
  const { mode, hold, margin = MARGIN_MS, silence = SILENCE_MS } = poll;
  const cursors = config.cursor && compileCursors(config.cursor);
  const request = compilePoll({ poll, messages: config.messages }, cursors);

  function begin(state: SessionState) {
    if (cursors) state.initialCursors = cursors.initial(state);
    state.cursors = state.initialCursors;
    return {
      answerSize: responseSize,
      repeats: true,
      poll: () => request(state),
      ...(cursors && { resets: (answer: HttpAnswer) => resets(answer, state, cursors) }),
    };
  }

  if (mode === 'stream') {
    const followed = { rules: cursors, isLast: compileEnd(poll.end) };
    const reader = compileStreaming(config.messages, responseSize, followed);
    return (state) => ({
      ...begin(state),
      mode: 'stream',
      silenceMs: silence,
      reader: (head) => reader(head, state),
    });
  }
  const read = compileAnswers(config, cursors);
  return (state) => ({
    ...begin(state),
    mode: 'answers',
    holdMs: hold,
    marginMs: margin,
    polled: (answer) => read(answer, state),
  });
}

/** Compiles the request, which may hold cursors, and then of the client's query what is none. */
function compilePoll(
  { poll, messages }: { poll: PollsConfig; messages: MessagesConfig },
  cursors: CursorRules | undefined,
): (state: SessionState) => HttpRequest {
  const isEventStream = poll.mode === 'stream' && messages.framing === 'sse';
  // Services choose by it whether to stream (WHATWG HTML §9.2.3).
  const accept: Record<string, string> = isEventStream ? { accept: 'text/event-stream' } : {};
  const request = compileRequest({ ...poll, headers: { ...accept, ...poll.headers } });
  return function pollRequest(state) {
    if (cursors === undefined) return request(state);
    const query = cursors.otherQuery(state.request.query);
    return cursors.put(request(state.with({ query })), state.cursors);
  };
}

/** The answer is a refusal: it may say that the cursor is not known any more. */
function resets(answer: HttpAnswer, state: SessionState, cursors: CursorRules): boolean {
  const evidence = { ...answer, document: () => jsonIn(answer.body.toString()) };
  const target = cursors.reset(evidence, state.cursors, state.initialCursors);
  if (target === undefined) return false;
  state.cursors = target;
  return true;
}

/** Compiles how a whole answer is read. */
function compileAnswers(
  { messages: framing, poll, confirm, responseSize }: GenericConfig,
  cursors: CursorRules | undefined,
): (answer: HttpAnswer, state: SessionState) => Batch {
  const readMessages = compileFraming(framing);
  const waitOf = compileBackoff(poll?.backoff);
  const isLast = compileEnd(poll?.end);
  const receiptOf = compileReceipt(confirm, responseSize);

  return function read(answer, state) {
    const place = { ...answer, ...(answer.status < 300 ? readMessages(answer) : EMPTY) };
    const end = isLast(place) ? NO_MORE : undefined;
    const waitMs = waitOf(answer, place);
    if (cursors) return { waitMs, end, ...followed({ place, cursors, isLast: end !== undefined }, state) };
    const receipt = receiptOf?.(place.items, state);
    return { waitMs, end, receipt, messages: place.messages, cursor: 'none', commit() {} };
  };
}

interface Read {
  readonly place: HttpAnswer & Reading;
  readonly cursors: CursorRules;
  readonly isLast: boolean;
}

/** What the answer brings of messages, and where the cursors are behind them. */
function followed({ place, cursors, isLast }: Read, state: SessionState): Batch {
  const target = cursors.reset(place, state.cursors, state.initialCursors);
  const commitTo = (next: typeof state.cursors) => () => {
    state.cursors = next;
  };
  if (target) return { messages: [], cursor: 'unmoved', commit: commitTo(target), waitMs: RESET_WAIT_MS };
  const { next, isFound, isStale } = cursors.move(place, state.cursors, state.initialCursors);
  const messages = isStale ? [] : place.messages;
  // Nobody asks for what comes behind the last.
  if (isLast) return { messages, cursor: 'none', commit: commitTo(next) };
  // The same cursor again would bring the same messages again, for ever.
  if (messages.length > 0 && !isFound) throw invalid(`an answer holds no cursor at ${cursors.places}`);
  return { messages, cursor: hasMoved(next, state.cursors) ? 'moved' : 'unmoved', commit: commitTo(next) };
}
