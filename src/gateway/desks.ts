import type { Revocations } from '../admission/revocations.ts';
import type { ChannelHub } from '../bridge/poll/channels.ts';
import type { Config } from '../config/schema.ts';
import { shownConfig } from '../config/shown.ts';
import type { PageDeps } from '../observe/admin/pages.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Sessions } from '../session/registry.ts';
import type { Commons } from '../store/commons.ts';
import type { UpstreamContext } from '../upstream/context.ts';
import { createBackchannel } from './backchannel.ts';
import { createRevocationDesk } from './revoking.ts';
import { createSessionDesk } from './session-desk.ts';
import { createUpstreamDesk } from './upstream-desk.ts';

/** What of a gateway its desks speak for. */
interface Inside {
  readonly sessions: Sessions;
  readonly channels: ChannelHub;
  readonly revocations: Revocations;
  readonly upstreams: UpstreamContext;
  readonly metrics: Metrics;
  readonly commons: Commons;
}

/** All that the admin listener asks of a gateway, besides how it does. */
export function createDesks(
  config: Config,
  { sessions, channels, revocations, upstreams, metrics, commons }: Inside,
): Pick<PageDeps, 'backchannel' | 'sessions' | 'revocations' | 'upstreams' | 'config'> {
  return {
    backchannel: createBackchannel(sessions, channels, metrics.pushes),
    sessions: createSessionDesk(sessions),
    revocations: createRevocationDesk({ revocations, sessions, commons, issuers: config.issuers }),
    upstreams: createUpstreamDesk(upstreams, sessions, config.routes),
    config: async () => shownConfig(config),
  };
}
