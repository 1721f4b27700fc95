import { GatewayError } from '../../errors.ts';
import type { Metrics } from '../metrics.ts';
import { apiGatewayPage } from './api-gateway.ts';
import type { Backchannel } from './backchannel.ts';
import { type ConfigDesk, configPage } from './config.ts';
import { connectionPage } from './connections.ts';
import { type Answer, type Answered, line, type Page } from './page.ts';
import { publishPage } from './publish.ts';
import { type RevocationDesk, revocationsPage } from './revocations.ts';
import { type SessionDesk, sessionPage, sessionsPage } from './sessions.ts';
import { type UpstreamDesk, upstreamsPage } from './upstreams.ts';

/** Whether new connections are welcome; `why` says what is missing. */
export interface Readiness {
  readonly ready: boolean;
  readonly why?: string;
}

/** What the pages are made of. */
export interface PageDeps {
  readonly ready: () => Answered<Readiness>;
  readonly metrics: Pick<Metrics, 'render' | 'contentType'>;
  readonly backchannel: Backchannel;
  readonly sessions: SessionDesk;
  readonly revocations: RevocationDesk;
  readonly upstreams: UpstreamDesk;
  readonly config: ConfigDesk;
}

/** All that the admin listener answers to: a new page is a file of its own and one line here. */
export function createPages({
  ready,
  metrics,
  backchannel,
  sessions,
  revocations,
  upstreams,
  config,
}: PageDeps): readonly Page[] {
  async function showMetrics(): Promise<Answer> {
    return { status: 200, type: metrics.contentType, body: await metrics.render() };
  }
  return [
    { path: /^\/livez$/, methods: { GET: () => line('alive') } },
    { path: /^\/readyz$/, methods: { GET: async () => showReadiness(await ready()) } },
    { path: /^\/metrics$/, methods: { GET: showMetrics } },
    connectionPage(backchannel),
    apiGatewayPage(backchannel),
    publishPage(backchannel),
    sessionsPage(sessions),
    sessionPage(sessions),
    revocationsPage(revocations),
    upstreamsPage(upstreams),
    configPage(config),
  ];
}

function showReadiness({ ready, why }: Readiness): Answer {
  if (ready) return line('ready');
  const reason = why === undefined ? '' : `: ${why}`;
  return line(`not ready${reason}`, new GatewayError('DRAINING').status);
}
