import { type PollConfig, sessionConfigOf } from '../../config/poll/index.ts';
import type { RouteConfig } from '../../config/schema.ts';
import type { HeaderField } from '../../http/request.ts';
import { pairsOf } from '../../upstream/answer-fields.ts';
import type { HttpTarget } from '../../upstream/client.ts';
import type { Concealment } from '../../upstream/concealment.ts';
import type { HttpPool } from '../../upstream/http-pool.ts';
import type { Dial } from '../contract.ts';
import { type Clock, systemClock } from './backoff.ts';
import { ChannelHub } from './channels.ts';
import { runPoll } from './engine.ts';
import { SessionOpener } from './opening.ts';
import { closeSession } from './service.ts';

export interface PollDeps {
  /** The clients of the route's targets; who opened them closes them. */
  readonly http: HttpPool<HttpTarget>;
  readonly clock?: Clock;
  /** Where services publish. Absent: nobody does. */
  readonly channels?: ChannelHub | undefined;
  /** That of the route's credentials. */
  readonly concealment?: Concealment | undefined;
}

/**
 * The poll bridge of a route: an HTTP service behind a WebSocket. Each session is given one endpoint and keeps it.
 * With `open` in the configuration the service is asked before the 101. The dial rejects as `dial` of the upstreams
 * does, and with RelayedAnswer (the service refused), UPSTREAM_TIMEOUT, UPSTREAM_LOST or UPSTREAM_INVALID.
 */
export function createPollDial(
  route: RouteConfig,
  { http, clock = systemClock, channels: hub = new ChannelHub(), concealment }: PollDeps,
): Dial {
  const { queueSize, outage: outageMs } = sessionConfigOf(route.upstream) as PollConfig;
  const opener = new SessionOpener(route, http, concealment);

  return async function dialPoll(request, signal) {
    const { lease, http: requests, profile, opening } = await opener.open(request, signal);
    const release = () => http.release(lease);
    return {
      target: lease.endpoint.name,
      accept: { protocol: opening.protocol, headers: shown(opening.fields ?? [], concealment) },
      run(client, head, session) {
        const channels = hub.join(queueSize);
        const conversation = {
          http: requests,
          profile,
          greeting: opening.messages ?? [],
          connection: request.connectionId,
          channels,
          queueSize,
          outageMs,
          clock,
        };
        const done = runPoll(conversation, client, head, session);
        const over = () => {
          channels.leave();
          release();
        };
        void done.then(over, over);
        return done;
      },
      abandon() {
        if (profile.open()) void closeSession(requests, profile, route.timeouts.close).finally(release);
        else release();
      },
    };
  };
}

/** Of an answer's fields those that tell no secret. */
function shown(fields: readonly HeaderField[], concealment: Concealment | undefined): readonly HeaderField[] {
  return concealment === undefined ? fields : pairsOf(concealment.fields(fields.flat()));
}
