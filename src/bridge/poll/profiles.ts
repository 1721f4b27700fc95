import type { PollConfig } from '../../config/poll/index.ts';
import { compileAws } from './aws/index.ts';
import { compileBayeux } from './bayeux/index.ts';
import { compileCloudEvents } from './cloudevents/index.ts';
import { compileEngineIo } from './engine-io/index.ts';
import { compileGeneric } from './generic/index.ts';
import type { ProfileFactory } from './profile.ts';
import { compileSockjs } from './sockjs/index.ts';
import { compileWebSocketOverHttp } from './websocket-over-http/index.ts';

type Compilers = {
  readonly [Name in NonNullable<PollConfig['profile']>]: (
    config: Extract<PollConfig, { profile?: Name | undefined }>,
  ) => ProfileFactory;
};

/** What HTTP services speak: a new profile is a file of its own and one line here. */
const PROFILES: Compilers = {
  generic: compileGeneric,
  cloudevents: compileCloudEvents,
  aws: compileAws,
  'websocket-over-http': compileWebSocketOverHttp,
  'engine.io': compileEngineIo,
  sockjs: compileSockjs,
  bayeux: compileBayeux,
};

/** Compiles the profile that a configuration names. */
export function compileProfile(config: PollConfig): ProfileFactory {
  const compile = PROFILES[config.profile ?? 'generic'] as (config: PollConfig) => ProfileFactory;
  return compile(config);
}
