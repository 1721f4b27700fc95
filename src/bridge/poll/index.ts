import { type PollConfig, sessionConfigOf } from '../../config/poll/index.ts';
import type { RouteConfig } from '../../config/schema.ts';
import type { HttpTarget } from '../../upstream/client.ts';
import type { Concealment } from '../../upstream/concealment.ts';
import type { HttpPool } from '../../upstream/http-pool.ts';
import type { Bridge, Dial, Ending } from '../contract.ts';
import { type Clock, systemClock } from './backoff.ts';
import type { Channels } from './channels.ts';
import type { Conversation } from './conversation.ts';
import { runPoll } from './engine.ts';
import { type GoodbyeObserver, Goodbyes } from './goodbyes.ts';
import { type Opened, SessionOpener } from './opening.ts';

export interface PollDeps {
  /** The clients of the route's targets; who opened them closes them, after this bridge. */
  readonly http: HttpPool<HttpTarget>;
  readonly clock?: Clock | undefined;
  /** Where services publish. Absent: nobody does. */
  readonly channels?: Channels | undefined;
  /** That of the route's credentials. */
  readonly concealment?: Concealment | undefined;
  readonly observer?: GoodbyeObserver | undefined;
}

const NO_CHANNELS: Channels = { subscribe: () => () => {} };

/** The poll bridge of a route, and its end. */
export interface PollBridge {
  readonly dial: Dial;
  /** Says the goodbyes that are left, within `timeouts.close` or so many milliseconds. Again is a no-op. Never rejects. */
  close(withinMs?: number): Promise<void>;
}

/**
 * Opens the poll bridge of a route: an HTTP service behind a WebSocket. Each session is given one endpoint and keeps it.
 * With `open` in the configuration the service is asked before the 101. The dial rejects as `dial` of the upstreams
 * does, and with RelayedAnswer (the service refused), UPSTREAM_TIMEOUT, UPSTREAM_LOST or UPSTREAM_INVALID.
 */
export function openPollBridge(route: RouteConfig, deps: PollDeps): PollBridge {
  const { http, clock = systemClock, observer, concealment } = deps;
  const closeMs = route.timeouts.close;
  const opener = new SessionOpener(route, http, concealment);
  const goodbyes = new Goodbyes({
    timeoutMs: closeMs,
    clock,
    onOutcome: (outcome) => observer?.said(route.name, outcome),
  });
  const bridgeTo = compileBridge(route, { ...deps, clock, goodbyes });
  return {
    dial: async (request, signal) => bridgeTo(await opener.open(request, signal), request.connectionId),
    close: (withinMs = closeMs) => goodbyes.close(withinMs),
  };
}

interface BridgeDeps extends PollDeps {
  readonly clock: Clock;
  readonly goodbyes: Goodbyes;
}

function compileBridge(
  route: RouteConfig,
  { http, clock, goodbyes, channels = NO_CHANNELS }: BridgeDeps,
): (opened: Opened, connection: string) => Bridge {
  const { queueSize, outage: outageMs } = sessionConfigOf(route.upstream) as PollConfig;

  /** The endpoint is left when that is done. */
  function sayGoodbye({ lease, http: requests, profile }: Opened, ending?: Ending): Promise<void> {
    const { promise, resolve: onDone } = Promise.withResolvers<void>();
    const request = profile.close(ending);
    if (request === undefined) onDone();
    else goodbyes.say({ http: requests, request, onDone });
    return promise.then(() => http.release(lease));
  }

  return function bridgeTo(opened, connection) {
    const { lease, http: requests, profile, opening, isAsked } = opened;
    const common = { http: requests, profile, connection, channels, queueSize, outageMs, clock };
    const conversation: Conversation = {
      ...common,
      greeting: opening.messages ?? [],
      sayGoodbye: (ending) => sayGoodbye(opened, ending),
    };
    return {
      target: lease.endpoint.name,
      accept: { protocol: opening.protocol },
      run: (client, head, session) => runPoll(conversation, client, head, session),
      abandon() {
        if (isAsked) void sayGoodbye(opened);
        else http.release(lease);
      },
    };
  };
}
