import { z } from 'zod';
import { type AwsConfig, awsPost, awsRules } from './aws.ts';
import { type BayeuxConfig, bayeuxService } from './bayeux.ts';
import { type CloudEventsConfig, cloudEventsPost, cloudEventsRules } from './cloudevents.ts';
import type { Complain } from './common.ts';
import { cursorRouteRules } from './cursor.ts';
import { type EngineIoConfig, engineIoService } from './engine-io.ts';
import { type GenericConfig, genericService } from './generic.ts';
import { headerRules, type RouteFacts } from './headers.ts';
import { http2Rules } from './http2.ts';
import { lingerRules } from './linger.ts';
import { genericPost, postTo } from './post.ts';
import { requestRules } from './request-rules.ts';
import { type SockjsConfig, sockjsService } from './sockjs.ts';
import { type WebSocketOverHttpConfig, webSocketOverHttpService } from './websocket-over-http.ts';

export type { AwsConfig } from './aws.ts';
export type { BayeuxConfig } from './bayeux.ts';
export type { CloudEventsConfig } from './cloudevents.ts';
export type { EngineIoConfig } from './engine-io.ts';
export type { GenericConfig } from './generic.ts';
export {
  type Place,
  POLL_HEADERS,
  type RouteFacts,
  type SessionHeadersConfig,
  takenHeaders,
} from './headers.ts';
export type { LingerConfig } from './linger.ts';
export type { SockjsConfig } from './sockjs.ts';
export type { WebSocketOverHttpConfig } from './websocket-over-http.ts';

/** The configuration of `upstream: { poll: … }` and `upstream: { post: … }`: HTTP services in place of a WebSocket. */

/** What a session with an HTTP service is configured by; a new profile is one line here, and one in a list below. */
export type PollConfig =
  | GenericConfig
  | WebSocketOverHttpConfig
  | EngineIoConfig
  | SockjsConfig
  | BayeuxConfig
  | CloudEventsConfig
  | AwsConfig;

/** By which name people may look for a profile, and where it stands. */
const OTHER_NAMES: readonly (readonly [RegExp, string])[] = [
  [/pushpin|grip|fanout|websocket-over-http/i, 'poll: { profile: websocket-over-http }'],
  [/socket\.?io|engine\.?io/i, 'poll: { profile: engine.io }'],
  [/sockjs/i, 'poll: { profile: sockjs }'],
  [/cometd|faye|bayeux/i, 'poll: { profile: bayeux }'],
  [/aws|lambda|gateway/i, 'post: { profile: aws }'],
  [/azure|pubsub|cloud-?events?/i, 'post: { profile: cloudevents }'],
];

/** Says what there is to choose from, where it is the choice that is wrong. */
function oneOf(...profiles: readonly string[]) {
  const error = ({ code, input }: { readonly code?: string; readonly input?: unknown }) => {
    if (code !== 'invalid_union') return EXPECTED_MAPPING;
    const { profile } = input as { readonly profile?: unknown };
    const [, meant] = OTHER_NAMES.find(([names]) => names.test(String(profile))) ?? [];
    return `expected ${profiles.join(', ')}${meant === undefined ? '' : `; did you mean ${meant}?`}`;
  };
  return { error };
}

const EXPECTED_MAPPING =
  'expected a mapping, as in { target: "http://127.0.0.1:3000", poll: { path: /events } }';

export const pollUpstream = z.discriminatedUnion(
  'profile',
  [genericService, webSocketOverHttpService, engineIoService, sockjsService, bayeuxService],
  oneOf('generic', 'websocket-over-http', 'engine.io', 'sockjs or bayeux'),
);

const profiledPost = z.discriminatedUnion(
  'profile',
  [genericPost, cloudEventsPost, awsPost],
  oneOf('generic', 'cloudevents or aws'),
);

export const postUpstream = z.union(
  [postTo, profiledPost],
  'expected an http:// or https:// URL, or a mapping with target, which may be a list',
);

interface SessionShape {
  readonly poll?: PollConfig | undefined;
  readonly post?: PollConfig | undefined;
}

/** What must hold between a session and its route. */
export function sessionRules({ poll, post }: SessionShape, route: RouteFacts, complain: Complain): void {
  if (poll !== undefined) rulesOf(poll, route, (path, message) => complain(['poll', ...path], message));
  // What `post` stands for has the keys of `send` beside the others.
  if (post !== undefined)
    rulesOf(post, route, ([part, ...path], message) =>
      complain(part === 'send' ? ['post', ...path] : ['post', part as string, ...path], message),
    );
}

function rulesOf(config: PollConfig, route: RouteFacts, complain: Complain): void {
  http2Rules(config, complain);
  lingerRules(config, route, complain);
  headerRules(config.headers, route, complain);
  if (config.profile === 'cloudevents') cloudEventsRules(config, route, complain);
  if (config.profile === 'aws') awsRules(config, complain);
  if (!isGeneric(config)) return;
  requestRules(config, route, complain);
  cursorRouteRules(config.cursor, route, complain);
}

/** What configuration alone describes has requests of its own. */
function isGeneric(config: PollConfig): config is GenericConfig {
  return config.profile === undefined || config.profile === 'generic';
}

/** What stands before the names of the channels of a session, to all but its service. */
export function channelPrefixOf(config: PollConfig): string {
  return ('channelPrefix' in config && config.channelPrefix) || '';
}

/** The session an upstream has with an HTTP service; undefined where it has another kind of upstream. */
export function sessionConfigOf({ poll, post }: SessionShape): PollConfig | undefined {
  return poll ?? post;
}
