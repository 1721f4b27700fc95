import { compilePointer, parseJson } from '../../bridge/poll/json.ts';
import type { Scene } from '../../bridge/poll/recorder.ts';
import { isSuccess, judgePoll, judgeSend } from '../../bridge/poll/verdict.ts';
import type { GenericConfig, PollConfig } from '../../config/poll/index.ts';
import type { GatewayError } from '../../errors.ts';
import { RelayedAnswer } from '../../http/relayed-answer.ts';
import { MAY_WANT_MORE } from './asking.ts';
import { reasonOf } from './trial.ts';

/** What is wrong with what a service has answered, and which key of the configuration is to be looked at. */

export interface Fault {
  /** Below the upstream's kind; empty where it is no key's. */
  readonly keys: readonly PropertyKey[];
  readonly message: string;
  readonly hint?: string | undefined;
  /** It may be well, for a client that brings more, or at another time. */
  readonly isDoubt?: boolean;
}

type Keys = Fault['keys'];

/** The fault of a scene; undefined if there is none. */
export function faultOf(scene: Scene, config: PollConfig): Fault | undefined {
  const { error, heldMs } = scene;
  if (error !== undefined) return ofError(error, scene, config);
  if (heldMs !== undefined) return undefined;
  if (scene.name === 'close') return ofGoodbye(scene, config);
  return ofSetback(scene, config) ?? ofPointers(scene, config);
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
  if (error.detail === undefined) return { keys: [], message: reasonOf(error) };
  return ofDetail(error.detail, error, scene, config);
}

/** What cannot be read, or followed. */
function ofDetail(detail: string, { close }: GatewayError, scene: Scene, config: PollConfig): Fault {
  const end = scene.name === 'open' ? 'no session begins' : `it ends the session with ${close}`;
  const message = `${detail}: ${end}`;
  const place = PLACES.find(({ sign }) => sign.test(detail));
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

function isGeneric(config: PollConfig): config is GenericConfig {
  return config.profile === undefined || config.profile === 'generic';
}

/** Which key describes a scene's requests; without one, what the service speaks is named. */
function requestKeys({ name }: Pick<Scene, 'name'>, config: PollConfig): Keys {
  return isGeneric(config) ? [name] : ['profile'];
}

interface Place {
  /** In what is told of an answer. */
  readonly sign: RegExp;
  readonly keys: (scene: Scene, config: PollConfig) => Keys;
  readonly hint: string;
}

const PLACES: readonly Place[] = [
  {
    sign: /holds no cursor$/,
    keys: (scene, config) => (scene.name === 'open' ? ['open', 'cursor'] : cursorKeys(config)),
    hint: 'say where in the answer it stands',
  },
  {
    sign: /holds no session$/,
    keys: () => ['open', 'session'],
    hint: 'say where in the answer it stands',
  },
  {
    sign: /the cursor that was sent$/,
    keys: (_, config) => cursorKeys(config),
    hint: 'behind messages it must be another: see `add`, or `unchanged: skip` where they come again',
  },
  {
    sign: /cannot be sent back$|whole number/,
    keys: (scene, config) => (scene.name === 'open' ? ['open'] : cursorKeys(config)),
    hint: 'a cursor, or the name of a session, is a short text or a number',
  },
  {
    sign: /cursor is not known/,
    keys: (_, config) => [...cursorKeys(config).slice(0, -1), 'reset'],
    hint: 'see where it begins (initial) and where it goes on (reset.to)',
  },
  {
    sign: /no JSON array/,
    keys: (_, config) =>
      isGeneric(config) && config.messages.at ? ['messages', 'at'] : ['messages', 'framing'],
    hint: 'say where it stands (messages.at), or take the answer as one message (framing: json)',
  },
  {
    sign: /not JSON$|not UTF-8$|too deeply$/,
    keys: framingKeys,
    hint: 'see the answer above: framing: body, lines and sse take what is no JSON',
  },
  {
    sign: /no event stream/,
    keys: framingKeys,
    hint: 'ask for text/event-stream where it is served, or say what it is (ndjson, lines; mode: answers)',
  },
  { sign: /exceeds responseSize/, keys: () => ['responseSize'], hint: 'raise it, or ask for less' },
  {
    sign: /cannot be decoded/,
    keys: () => [],
    hint: 'see its Content-Encoding; the gateway asks for identity',
  },
];

function framingKeys({ name }: Scene, config: PollConfig): Keys {
  if (!isGeneric(config)) return ['profile'];
  return name === 'open' ? ['open'] : ['messages', 'framing'];
}

function cursorKeys(config: PollConfig): Keys {
  const isList = isGeneric(config) && config.cursor !== undefined && config.cursor.length > 1;
  return isList ? ['cursor', 0, 'from'] : ['cursor', 'from'];
}
