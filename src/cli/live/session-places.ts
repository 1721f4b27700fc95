import type { Scene } from '../../bridge/poll/recorder.ts';
import type { GenericConfig, PollConfig } from '../../config/poll/index.ts';

/** Which keys are to be looked at when an answer cannot be read, or followed. */

/** Below the upstream's kind. */
export type Keys = readonly PropertyKey[];

/** The place that `detail` speaks of; undefined if it is no key's. */
export function placeOf(detail: string, scene: Scene): Place | undefined {
  return PLACES.find((one) => (one.scene ?? scene.name) === scene.name && one.sign.test(detail));
}

export function isGeneric(config: PollConfig): config is GenericConfig {
  return config.profile === undefined || config.profile === 'generic';
}

/** Where the configuration says what an answer was not. */
interface Place {
  /** In what is told of an answer. */
  readonly sign: RegExp;
  /** Absent: any. */
  readonly scene?: Scene['name'];
  readonly keys: (scene: Scene, config: PollConfig) => Keys;
  readonly hint: string;
}

const PLACES: readonly Place[] = [
  {
    sign: /holds no cursor/,
    keys: (scene, config) => (scene.name === 'open' ? ['open', 'cursor'] : cursorKeys(config)),
    hint: 'say where in the answer above it stands',
  },
  {
    sign: /holds no session/,
    keys: () => ['open', 'session'],
    hint: 'say where in the answer above it stands',
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
    sign: /not JSON$/,
    scene: 'open',
    keys: () => ['open'],
    hint: 'see the answer above: what json: is to find is looked for in JSON; header:NAME needs none',
  },
  {
    sign: /not JSON$/,
    scene: 'send',
    keys: replyKeys,
    hint: 'see the answer above: an event stream is response: sse, what is no JSON response: message',
  },
  {
    sign: /no event stream/,
    scene: 'send',
    keys: replyKeys,
    hint: 'write response: message, or have it stream, as by body: { set: { /stream: true } }',
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

function replyKeys(_: Scene, config: PollConfig): Keys {
  return isGeneric(config) ? ['send', 'response'] : ['profile'];
}

function cursorKeys(config: PollConfig): Keys {
  const isList = isGeneric(config) && config.cursor !== undefined && config.cursor.length > 1;
  return isList ? ['cursor', 0, 'from'] : ['cursor', 'from'];
}
