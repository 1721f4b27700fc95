import { compilePointer, parseJson } from '../../bridge/poll/json.ts';
import type { Scene } from '../../bridge/poll/recorder.ts';
import { isEventStream, isSuccess, judgePoll, judgeSend } from '../../bridge/poll/verdict.ts';
import type { PollConfig } from '../../config/poll/index.ts';
import type { GatewayError } from '../../errors.ts';
import { RelayedAnswer } from '../../http/relayed-answer.ts';
import { ExchangeFailed } from '../../upstream/client.ts';
import { MAY_WANT_MORE } from './asking.ts';
import { isGeneric, type Keys, placeOf } from './session-places.ts';
import { reasonOf } from './trial.ts';

/** What is wrong with what a service has answered, and which key of the configuration is to be looked at. */

export interface Fault {
  /** Below the upstream's kind; empty where it is no key's. */
  readonly keys: Keys;
  readonly message: string;
  readonly hint?: string | undefined;
  /** It may be well, for a client that brings more, or at another time. */
  readonly isDoubt?: boolean;
}

/** The fault of a scene; undefined if there is none. */
export function faultOf(scene: Scene, config: PollConfig): Fault | undefined {
  const { error, heldMs } = scene;
  if (error !== undefined) return ofError(error, scene, config);
  if (heldMs !== undefined) return ofHeld(scene, config);
  if (scene.name === 'close') return ofGoodbye(scene, config);
  return (
    ofSetback(scene, config) ?? ofReply(scene, config) ?? ofPointers(scene, config) ?? ofPace(scene, config)
  );
}

/** What ends the session, or does not let it begin. */
function ofError(error: GatewayError, scene: Scene, config: PollConfig): Fault {
  const { code, message } = error;
  const status = scene.exchanges.at(-1)?.answer?.status ?? 0;
  if (error instanceof RelayedAnswer)
    return refused(error.status, 'and so does the gateway to the client', scene, config);
  if (code === 'SERVICE_REFUSED')
    return refused(status, `which ends the session with ${error.close}`, scene, config);
  if (scene.name === 'send' && (code === 'INVALID_PAYLOAD' || code === 'UNSUPPORTED_DATA'))
    return { keys: [], message: `the text of --send does not do: ${message}` };
  if (error.status === 400 || code === 'FORBIDDEN')
    return { keys: [], message: `it needs what clients bring: ${message}`, isDoubt: true };
  const { cause, detail } = error;
  if (detail === undefined) return { keys: [], message: reasonOf(error) };
  if (!(cause instanceof ExchangeFailed) || cause.isFinal) return ofDetail(detail, error, scene, config);
  if (isEventStream(cause.head) && isGeneric(config)) return STREAMED_REPLY;
  // What has become of the message is told behind why.
  return ofDetail(`${reasonOf(error)}: ${detail}`, error, scene, config);
}

/** It has no end that one could wait for. */
const STREAMED_REPLY: Fault = {
  keys: ['send', 'response'],
  message: 'the answer is an event stream that goes on',
  hint: 'write response: sse, and each event is a message',
};

/** What cannot be read, or followed. */
function ofDetail(detail: string, { close }: GatewayError, scene: Scene, config: PollConfig): Fault {
  const end = scene.name === 'open' ? 'no session begins' : `it ends the session with ${close}`;
  const message = `${detail}: ${end}`;
  const place = placeOf(detail, scene);
  if (place !== undefined) return { keys: place.keys(scene, config), message, hint: place.hint };
  if (isGeneric(config)) return { keys: [], message };
  return { keys: ['profile'], message, hint: 'see whether it is this that is spoken there' };
}

function refused(status: number, outcome: string, scene: Scene, config: PollConfig): Fault {
  const isDoubt = MAY_WANT_MORE.includes(status);
  const message = `answers ${status}, ${outcome}`;
  return { keys: requestKeys(scene, config), message, hint: remedyFor(status), isDoubt };
}

function remedyFor(status: number): string | undefined {
  if (status === 401 || status === 403)
    return 'it may want what clients bring: let that pass (headers.pass), or prove the gateway (upstream.credentials)';
  if (status === 404) return 'see the path, and that of the target; it may want what clients bring';
  if (status === 400) return 'see what it says; it may want what clients bring';
  if (status === 405) return 'see the method';
  if (status >= 300 && status < 400) return 'nothing is redirected: write where it leads to';
  return undefined;
}

/** What is tried again. */
function ofSetback(scene: Scene, config: PollConfig): Fault | undefined {
  const { name, exchanges, batches } = scene;
  const { answer, failure } = exchanges.at(-1) ?? {};
  const again = `the bridge would try again, for ${config.outage === undefined ? 'ever' : `${config.outage / 1000} s`}`;
  if (answer === undefined) {
    // Nobody asked, or too late an answer counts as none.
    if (failure === undefined || batches.length > 0) return undefined;
    return { keys: [], message: `${reasonOf(failure)}; ${again}` };
  }
  const verdict = (name === 'send' ? judgeSend : judgePoll)(answer, config.codes);
  if (verdict !== 'refused' && verdict !== 'unsure') return undefined;
  return { keys: requestKeys(scene, config), message: `answers ${answer.status}; ${again}` };
}

/** No session waits for it. */
function ofGoodbye(scene: Scene, config: PollConfig): Fault | undefined {
  const answer = scene.exchanges.at(-1)?.answer;
  if (answer === undefined || isSuccess(answer.status)) return undefined;
  const message = `answers ${answer.status}: it may not know that the session is over`;
  return { keys: requestKeys(scene, config), message, isDoubt: true };
}

/** What is held is well, unless it is a stream whose end is waited for. */
function ofHeld({ name, exchanges }: Scene, config: PollConfig): Fault | undefined {
  const isStream = isEventStream(exchanges.at(-1)?.answer);
  if (name !== 'poll' || !isStream || !isGeneric(config) || config.poll?.mode === 'stream') return undefined;
  return {
    keys: ['poll'],
    message: 'the answer is an event stream that goes on: no message comes before its end',
    hint: 'write mode: stream, and messages: { framing: sse }',
  };
}

/** What reaches the client as a reply, and may not have been meant as one. */
function ofReply(scene: Scene, config: PollConfig): Fault | undefined {
  const answer = scene.exchanges.at(-1)?.answer;
  const [first] = scene.batches.flatMap(({ messages }) => messages);
  if (scene.name !== 'send' || answer === undefined || first === undefined || !isGeneric(config))
    return undefined;
  if (!isSuccess(answer.status)) {
    const message = `answers ${answer.status}, whose body is the reply (refusal: relay)`;
    return { keys: ['send'], message, hint: remedyFor(answer.status), isDoubt: true };
  }
  if (isEventStream(answer) && config.send?.response !== 'sse')
    return {
      ...STREAMED_REPLY,
      message: 'the answer is an event stream, and all of it one message',
      isDoubt: true,
    };
  if (!first.binary || answer.headers['content-type'] !== undefined) return undefined;
  const message = 'the answer has no Content-Type: its body is a binary message';
  return { keys: ['messages'], message, hint: 'send one, or write messages: { type: text }', isDoubt: true };
}

/** Polls that are answered at once, with the same for ever. */
function ofPace({ name, exchanges, batches }: Scene, config: PollConfig): Fault | undefined {
  const { ms = 0 } = exchanges.at(-1) ?? {};
  const hasMessages = batches.some(({ messages }) => messages.length > 0);
  if (name !== 'poll' || !hasMessages || ms >= AT_ONCE_MS || !isGeneric(config)) return undefined;
  if (config.cursor !== undefined || config.poll?.mode === 'stream') return undefined;
  const message = 'answers at once, and there is no `cursor` by which the next answer would be another';
  const hint =
    'well if what has been fetched is gone there; see that it waits for news, and says where to go on';
  return { keys: ['poll'], message, hint, isDoubt: true };
}

/** Sooner nobody has waited for anything. */
const AT_ONCE_MS = 500;

/** Where a JSON pointer finds nothing there may just be no messages now. */
function ofPointers({ name, exchanges, batches }: Scene, config: PollConfig): Fault | undefined {
  const answer = exchanges.at(-1)?.answer;
  const isEmpty = batches.every(({ messages }) => messages.length === 0);
  if (name !== 'poll' || !isEmpty || !answer || answer.status >= 300 || !isGeneric(config)) return undefined;
  const document = jsonOf(answer.body);
  if (document === undefined) return undefined;
  const { framing, at = '', item } = config.messages;
  if (framing !== 'json' && framing !== 'json-array') return undefined;
  const found = compilePointer(at)(document);
  if (found === undefined) return nothingAt('at', at);
  if (item !== undefined && Array.isArray(found) && found.length > 0) return nothingAt('item', item);
  return undefined;
}

function nothingAt(key: 'at' | 'item', pointer: string): Fault {
  const where = key === 'at' ? 'in the answer' : 'in any item';
  const message = `nothing stands at json:${pointer} ${where}: it is no message`;
  return { keys: ['messages', key], message, hint: 'well if there is none now', isDoubt: true };
}

function jsonOf(body: Buffer): unknown {
  try {
    return parseJson(body.toString());
  } catch {
    return undefined;
  }
}

/** Which key describes a scene's requests; without one, what the service speaks is named. */
function requestKeys({ name }: Pick<Scene, 'name'>, config: PollConfig): Keys {
  return isGeneric(config) ? [name] : ['profile'];
}
