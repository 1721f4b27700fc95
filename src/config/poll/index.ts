import { z } from 'zod';
import { type BayeuxConfig, bayeuxService } from './bayeux.ts';
import type { Complain } from './common.ts';
import { type EngineIoConfig, engineIoService } from './engine-io.ts';
import { type GenericConfig, genericService, placeholderRules } from './generic.ts';
import { genericPost, postTo } from './post.ts';
import { type SockjsConfig, sockjsService } from './sockjs.ts';

export type { BayeuxConfig } from './bayeux.ts';
export { POLL_HEADERS } from './common.ts';
export type { EngineIoConfig } from './engine-io.ts';
export type { GenericConfig } from './generic.ts';
export type { SockjsConfig } from './sockjs.ts';

/** The configuration of `upstream: { poll: … }` and `upstream: { post: … }`: HTTP services in place of a WebSocket. */

/** What a session with an HTTP service is configured by; a new profile is one line here, and one in a list below. */
export type PollConfig = GenericConfig | EngineIoConfig | SockjsConfig | BayeuxConfig;

const UNKNOWN = { error: 'expected a profile that the reference names' };

export const pollUpstream = z.discriminatedUnion(
  'profile',
  [genericService, engineIoService, sockjsService, bayeuxService],
  UNKNOWN,
);

export const postUpstream = z.union(
  [postTo, z.discriminatedUnion('profile', [genericPost], UNKNOWN)],
  'expected an http or https URL, or a mapping with target',
);

interface SessionShape {
  readonly poll?: PollConfig | undefined;
  readonly post?: PollConfig | undefined;
}

/** What must hold between a session and its route. `matchPath` is the route's path, whose `{name}`s capture. */
export function sessionRules(matchPath: string, { poll, post }: SessionShape, complain: Complain): void {
  if (poll !== undefined && isGeneric(poll))
    placeholderRules(matchPath, poll, (path, message) => complain(['poll', ...path], message));
  // What `post` stands for has its path in `send`.
  if (post !== undefined && isGeneric(post))
    placeholderRules(matchPath, post, ([part, ...path], message) =>
      complain(part === 'send' ? ['post', ...path] : ['post', part as string, ...path], message),
    );
}

/** What configuration alone describes has placeholders. */
function isGeneric(config: PollConfig): config is GenericConfig {
  return config.profile === undefined || config.profile === 'generic';
}

/** The session an upstream has with an HTTP service; undefined where it has another kind of upstream. */
export function sessionConfigOf({ poll, post }: SessionShape): PollConfig | undefined {
  return poll ?? post;
}
