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
  const answer = scene.exchanges.at(-1)?.answer;
  if (error instanceof RelayedAnswer)
    return refused(
      error.status,
      `answers ${error.status}, and so does the gateway to the client`,
      scene,
      config,
    );
  if (error.code === 'SERVICE_REFUSED' && answer)
    return refused(
      answer.status,
      `answers ${answer.status}, which ends the session with ${error.close}`,
      scene,
      config,
    );
  if (scene.name === 'send' && (error.code === 'INVALID_PAYLOAD' || error.code === 'UNSUPPORTED_DATA'))
    return { keys: [], message: `the text of --send does not do: ${error.message}` };
  if (error.status === 400 || error.code === 'FORBIDDEN')
    return { keys: [], message: `it needs what clients bring: ${error.message}`, isDoubt: true };
  if (error.code !== 'UPSTREAM_INVALID' && error.detail === undefined)
    return { keys: [], message: reasonOf(error) };
  const place = PLACES.find(({ sign }) => sign.test(error.detail ?? ''));
  const message = `${error.detail ?? reasonOf(error)}: ${scene.name === 'open' ? 'no session begins' : `it ends the session with ${error.close}`}`;
  const keys = place?.keys(scene, config) ?? (isGeneric(config) ? [] : ['profile']);
  const hint = place?.hint ?? (isGeneric(config) ? undefined : 'see whether it is this that is spoken there');
  return { keys, message, hint };
}

function refused(status: number, message: string, scene: Scene, config: PollConfig): Fault {
  const isDoubt = MAY_WANT_MORE.includes(status);
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
function ofSetback({ name, exchanges, pauseMs, ...scene }: Scene, config: PollConfig): Fault | undefined {
  const { answer, failure } = exchanges.at(-1) ?? {};
  const keys = requestKeys({ name }, config);
  const again = `; the bridge would try again, for ${seconds(config.outage)}`;
  if (answer === undefined) {
    const isQuiet = failure === undefined || scene.batches.length > 0;
    return isQuiet ? undefined : { keys: [], message: `${reasonOf(failure)}${again}` };
  }
  const verdict = (name === 'send' ? judgeSend : judgePoll)(answer, config.codes);
  if (verdict !== 'refused' && verdict !== 'unsure') return undefined;
  return { keys, message: `answers ${answer.status}${again}` };
}

/** No session waits for it. */
function ofGoodbye(scene: Scene, config: PollConfig): Fault | undefined {
  const answer = scene.exchanges.at(-1)?.answer;
  if (answer === undefined || isSuccess(answer.status)) return undefined;
  const message = `answers ${answer.status}: it may not know that the session is over`;
  return { keys: requestKeys(scene, config), message, isDoubt: true };
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? 'ever' : `${ms / 1000} s`;
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
