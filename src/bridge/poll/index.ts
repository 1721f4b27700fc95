import { channelPrefixOf, type PollConfig, sessionConfigOf } from '../../config/poll/index.ts';
import type { RouteConfig } from '../../config/schema.ts';
import type { HeaderField } from '../../http/request.ts';
import { pairsOf } from '../../upstream/answer-fields.ts';
import type { HttpTarget } from '../../upstream/client.ts';
import type { HttpPool } from '../../upstream/http-pool.ts';
import type { Bridge, Dial, Ending } from '../contract.ts';
import type { LingerObserver } from '../parking.ts';
import { type Clock, systemClock } from './backoff.ts';
import { ChannelHub } from './channels.ts';
import type { SessionConcealment } from './concealment.ts';
import { runPoll } from './engine.ts';
import { type GoodbyeObserver, Goodbyes } from './goodbyes.ts';
import { leave } from './leaving.ts';
import { type Opened, SessionOpener } from './opening.ts';
import { type Begin, Resuming, type RunSession } from './resuming.ts';

export interface PollDeps {
  /** The clients of the route's targets; who opened them closes them, after this bridge. */
  readonly http: HttpPool<HttpTarget>;
  readonly clock?: Clock | undefined;
  /** Where services publish. Absent: nobody does. */
  readonly channels?: ChannelHub | undefined;
  readonly concealment?: SessionConcealment | undefined;
  readonly observer?: GoodbyeObserver | undefined;
  /** Hears of sessions whose clients are lost. */
  readonly lingering?: LingerObserver | undefined;
}

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
  const goodbyes = new Goodbyes({
    timeoutMs: closeMs,
    clock,
    onOutcome: (outcome) => observer?.said(route.name, outcome),
  });
  const parts = { ...deps, clock, goodbyes };
  const bridgeTo = compileBridge(route, parts);
  const onUnanswered = (opened: Opened) => void leave(opened, parts);
  const opener = new SessionOpener(route, { http, concealment, onUnanswered });
  const begin: Begin = async (request, signal, run) =>
    bridgeTo(await opener.open(request, signal), request.connectionId, run);
  const { linger } = sessionConfigOf(route.upstream) as PollConfig;
  const resuming = linger && new Resuming(linger, route, { begin, observer: deps.lingering });
  return {
    dial: resuming?.dial ?? begin,
    async close(withinMs = closeMs) {
      await resuming?.close();
      await goodbyes.close(withinMs);
    },
  };
}

interface BridgeDeps extends PollDeps {
  readonly clock: Clock;
  readonly goodbyes: Goodbyes;
}

/** `run` carries the messages of a session. */
function compileBridge(
  route: RouteConfig,
  deps: BridgeDeps,
): (opened: Opened, connection: string, run?: RunSession) => Bridge {
  const config = sessionConfigOf(route.upstream) as PollConfig;
  const { queueSize, outage: outageMs } = config;
  const { clock, channels: hub = new ChannelHub(), concealment } = deps;
  const common = { queueSize, outageMs, clock, concealment };

  return function bridgeTo(opened, connection, runSession = runPoll) {
    const { lease, http, profile, opening, isAsked } = opened;
    return {
      target: lease.endpoint.name,
      accept: { protocol: opening.protocol, headers: shown(opening.fields ?? [], concealment) },
      run(client, head, session) {
        const channels = hub.join(queueSize, channelPrefixOf(config));
        const own = { http, profile, greeting: opening.messages ?? [], connection, channels };
        function sayGoodbye(ending: Ending): Promise<void> {
          channels.leave();
          return leave(opened, deps, ending);
        }
        return runSession({ ...common, ...own, sayGoodbye }, client, head, session);
      },
      abandon() {
        if (isAsked) void leave(opened, deps);
        else deps.http.release(lease);
      },
    };
  };
}

/** Of an answer's fields those that tell no secret. */
function shown(
  fields: readonly HeaderField[],
  concealment: SessionConcealment | undefined,
): readonly HeaderField[] {
  return concealment === undefined ? fields : pairsOf(concealment.fields(fields.flat()));
}
