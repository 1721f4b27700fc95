import { z } from 'zod';
import { type UpstreamKind, upgradesTo } from './upstream-kinds.ts';

/** Tokens in the first message of a client: where they stand in it, and what becomes of it. */

/** How a first message is read: as JSON, or as that of a protocol. */
export const MESSAGE_FORMS = ['message', 'graphql-ws', 'socket.io', 'mqtt', 'stomp'] as const;
export type MessageForm = (typeof MESSAGE_FORMS)[number];

export const MESSAGE_SOURCES =
  'message, message:/POINTER, graphql-ws, graphql-ws:NAME, socket.io, socket.io:NAME, mqtt, mqtt:username, stomp or stomp:NAME';

/** Subprotocols by which their clients are known, the best first. */
export const FORM_PROTOCOLS: Readonly<Record<MessageForm, readonly string[]>> = {
  message: [],
  'graphql-ws': ['graphql-transport-ws', 'graphql-ws'],
  'socket.io': [],
  mqtt: ['mqtt', 'mqttv3.1'],
  stomp: ['v12.stomp', 'v11.stomp', 'v10.stomp'],
};

/** Where in the first message the token stands. */
export interface MessageSource {
  readonly from: MessageForm;
  /** A JSON pointer (RFC 6901), or the name of a field or header; empty: the whole text, or where the protocol's clients put it. */
  readonly name: string;
}

export function isMessageSource(source: {
  readonly from: string;
  readonly name: string;
}): source is MessageSource {
  return (MESSAGE_FORMS as readonly string[]).includes(source.from);
}

/** Undefined if it is none. */
export function readMessageSource(text: string): MessageSource | undefined {
  const [, from = '', name = ''] = /^(message|graphql-ws|socket\.io|mqtt|stomp)(?::(.*))?$/.exec(text) ?? [];
  if (from === '') return undefined;
  const source = { from: from as MessageForm, name };
  // `message:` alone is the same as `message`, which YAML takes without quotes.
  if (text.endsWith(':')) return from === 'message' ? source : undefined;
  return name === '' || NAMES[source.from].test(name) ? source : undefined;
}

const FIELD = /^[^\s:,~/"]+$/;
const NAMES: Readonly<Record<MessageForm, RegExp>> = {
  // RFC 6901 §3.
  message: /^(?:\/(?:[^~/]|~[01])*)+$/,
  'graphql-ws': FIELD,
  'socket.io': FIELD,
  mqtt: /^username$/,
  stomp: FIELD,
};

/** The key of `auth` that is about it. */
export const firstMessage = z
  .enum(['forward', 'drop'])
  .optional()
  .describe(
    'What becomes of a first message that is JSON, once its token is judged: forward passes it on, without the token unless forwardToken; absent: forward, and drop where the token is the whole text',
  );

/** An upstream as far as the rules go. */
interface UpstreamShape {
  readonly poll?: SessionShape | undefined;
  readonly post?: SessionShape | undefined;
}

interface SessionShape {
  readonly profile?: string | undefined;
  readonly linger?: { readonly token: { readonly from: string } } | undefined;
}

interface FirstMessageShape {
  readonly auth:
    | 'none'
    | {
        readonly token: readonly { readonly from: string; readonly name: string }[];
        readonly firstMessage?: 'forward' | 'drop' | undefined;
        readonly forwardToken: boolean;
      };
  readonly upstream: UpstreamShape;
}

type Complain = (path: PropertyKey[], message: string) => void;

/** Reports below the route. */
export function firstMessageRules({ auth, upstream }: FirstMessageShape, complain: Complain): void {
  if (auth === 'none') return;
  const sources = auth.token.filter(isMessageSource);
  const [source, second] = sources;
  const at = (one: MessageSource) => ['auth', 'token', auth.token.indexOf(one)];
  if (source === undefined) {
    if (auth.firstMessage !== undefined)
      complain(['auth', 'firstMessage'], 'has no effect: no token is looked for in a message by auth.token');
    return;
  }
  if (second !== undefined)
    complain(at(second), `a first message is read in one way: it is by ${source.from} already`);
  const fault = faultOf(source.from, upstream);
  if (fault !== undefined) complain(at(source), fault);
  const lingering = (upstream.poll ?? upstream.post)?.linger?.token.from;
  if (lingering === 'subprotocol')
    complain(
      at(source),
      'does not go with a linger.token in a subprotocol: the 101 names another, and that alone is offered to the service',
    );
  const fate = fateFault(source, auth.firstMessage, auth.forwardToken);
  if (fate !== undefined) complain(['auth', 'firstMessage'], fate);
}

/** Why such messages cannot come on this route. */
function faultOf(form: MessageForm, upstream: UpstreamShape): string | undefined {
  const kind = upgradesTo(upstream);
  if (kind === undefined) return 'has no effect on a route that takes no upgrades';
  if (form !== 'socket.io' || speaksEngineIo(kind, upstream)) return undefined;
  return `socket.io leads to a service that speaks it: websocket, http, or poll with profile: engine.io; this is ${kind}`;
}

function speaksEngineIo(kind: UpstreamKind, upstream: UpstreamShape): boolean {
  return (
    kind === 'websocket' || kind === 'http' || (kind === 'poll' && upstream.poll?.profile === 'engine.io')
  );
}

/** What cannot become of it. */
function fateFault(
  { from, name }: MessageSource,
  fate: 'forward' | 'drop' | undefined,
  forwardToken: boolean,
): string | undefined {
  if (fate === 'drop' && from !== 'message')
    return `drop does not go with ${from}, whose services wait for that message: leave it out`;
  if (fate === 'forward' && from === 'message' && name === '' && !forwardToken)
    return 'nothing of it may be passed on, for all of it is the token: leave it out, or set forwardToken: true';
  return undefined;
}
