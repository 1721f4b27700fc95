import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Grant } from './admission/grant.ts';
import { admit, release } from './admission/index.ts';
import type { Bridge, Ending } from './bridge/contract.ts';
import { endingOf } from './bridge/ending.ts';
import { asGatewayError, GatewayError } from './errors.ts';
import { type ConnectionInfo, parseUpgrade } from './http/parse.ts';
import type { HeaderField, UpgradeRequest } from './http/request.ts';
import { refuseUpgrade, writeAccept } from './listener/accept.ts';
import { type Arriving, watchClient } from './listener/arriving.ts';
import type { Observer, RefusedRequest, SessionRecord } from './observe/index.ts';
import type { Router } from './router.ts';
import type { GatewayRoute } from './routes.ts';
import type { Sessions } from './session/registry.ts';
import type { Session } from './session/session.ts';
import { admitted } from './upstream/forward.ts';

export interface HandshakeDeps {
  readonly router: Router<GatewayRoute>;
  readonly sessions: Sessions;
  readonly observer: Observer;
  readonly isDraining: () => boolean;
}

/** What is known of an upgrade so far; a refusal tells of it. */
interface Progress {
  readonly arrival: ConnectionInfo;
  readonly client: Arriving;
  request?: UpgradeRequest;
  route?: GatewayRoute;
  grant?: Grant;
  bridge?: Bridge;
}

/**
 * The story of one upgrade: parse → route → admit → dial → accept → run → end. Whatever goes wrong before the 101 is
 * answered in the one catch; after it, every failure is a close code, and the bridge's business.
 */
export function createHandshake(deps: HandshakeDeps) {
  return async function handshake(
    message: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    arrival: ConnectionInfo,
  ): Promise<void> {
    const startedAt = performance.now();
    const progress: Progress = { arrival, client: watchClient(socket, head) };
    try {
      const accepted = accept(deps, progress.client, await dial(deps, progress, message));
      // Not awaited here: all that is known of the upgrade would stay in memory for as long as the session.
      void runSession(deps.sessions, accepted);
    } catch (thrown) {
      if (progress.grant) release(progress.grant);
      refuse(deps, progress, thrown, performance.now() - startedAt);
    }
  };
}

/** Everything that may be refused with an HTTP status, up to an upstream that is ready. */
async function dial(deps: HandshakeDeps, progress: Progress, message: IncomingMessage): Promise<Dialled> {
  const request = parseUpgrade(message, progress.arrival);
  progress.request = request;
  const { route, captures } = deps.router(request.host, request.path) ?? {};
  if (route === undefined || captures === undefined) throw new GatewayError('NO_ROUTE');
  progress.route = route;
  const { leads, config } = route;
  if (leads.bridge === undefined)
    throw new GatewayError('NO_ROUTE', { detail: 'an http route takes no upgrades' });
  if (deps.isDraining()) throw new GatewayError('DRAINING');

  const { client } = progress;
  client.allow(config.timeouts.handshake);
  const grant = await admit(route.checks, request);
  progress.grant = grant;
  const bridge = await leads.dial(admitted(request, grant, captures, config), client.signal);
  progress.bridge = bridge;
  if (client.gone) throw new GatewayError('CLIENT_LOST');
  // A drain that began meanwhile has asked the open connections to close, and would miss this one.
  if (deps.isDraining()) throw new GatewayError('DRAINING');
  return { request, grant, route, kind: leads.bridge, bridge };
}

/** An upgrade that has been let in and has its upstream. */
interface Dialled {
  readonly request: UpgradeRequest;
  readonly grant: Grant;
  readonly route: GatewayRoute;
  readonly kind: SessionRecord['bridge'];
  readonly bridge: Bridge;
}

/** A session whose bridge runs. */
interface Accepted {
  readonly session: Session;
  readonly running: Promise<Ending>;
  readonly releases: Grant['releases'];
}

/** Writes the 101 and lets the bridge run. Throws only if the 101 cannot be written. */
function accept({ sessions }: HandshakeDeps, client: Arriving, dialled: Dialled): Accepted {
  const { request, grant, route, kind, bridge } = dialled;
  // From here to `run` nothing is awaited: no event can fall between two listeners.
  const head = client.release();
  const protocol = bridge.accept.protocol ?? harmlessAnswer(grant);
  writeAccept(client.socket, request.key, protocol, fieldsOf(bridge.accept));
  const meter = route.meter(request, grant);
  const session = sessions.open({
    route: route.config,
    bridge: kind,
    target: bridge.target,
    request,
    grant,
    meter,
    protocol,
  });
  return { session, running: bridge.run(client.socket, head, session), releases: grant.releases };
}

/** The harmless half of a token pair: browsers fail a connection that offered subprotocols and got none. */
function harmlessAnswer({ credential }: Grant): string | undefined {
  return credential?.from === 'subprotocol' ? credential.answer : undefined;
}

function fieldsOf({ headers = [], deflate }: Bridge['accept']): readonly HeaderField[] {
  return deflate === undefined ? headers : [...headers, ['Sec-WebSocket-Extensions', deflate]];
}

/** Stays with a session to its end. Never rejects: a bridge that does, against its word, ends its session only. */
async function runSession(sessions: Sessions, { session, running, releases }: Accepted): Promise<void> {
  try {
    sessions.end(session, await running);
  } catch (thrown) {
    session.destroy();
    sessions.end(session, endingOf(asGatewayError(thrown)));
  } finally {
    release({ releases });
  }
}

function refuse({ observer }: HandshakeDeps, progress: Progress, thrown: unknown, durationMs: number): void {
  const { client, request, route, bridge } = progress;
  const error = client.gone ? new GatewayError('CLIENT_LOST', { cause: thrown }) : asGatewayError(thrown);
  client.release();
  bridge?.abandon();
  observer.refused(refusedRequest(progress), error, durationMs);
  refuseUpgrade(client.socket, error, request, route?.config.refuse === 'close');
}

function refusedRequest({ arrival, request, route }: Progress): RefusedRequest {
  const { id, peerAddress = '' } = arrival;
  if (request === undefined) return { id, kind: 'upgrade', peerAddress };
  const { clientAddress, host, path, origin } = request;
  return { id, kind: 'upgrade', peerAddress, clientAddress, host, path, origin, route: route?.config.name };
}
