import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { admitted } from './admission/admitted.ts';
import { admit, release } from './admission/index.ts';
import { asGatewayError, GatewayError } from './errors.ts';
import { refuseUpgrade, writeAccept } from './listener/accept.ts';
import { type Arriving, watchClient } from './listener/arriving.ts';
import { type Arrival, parseUpgrade } from './listener/parse.ts';
import type { Observer, RefusedRequest } from './observe/index.ts';
import type { Bridge, Grant, UpgradeRequest } from './request.ts';
import type { Router } from './router.ts';
import type { GatewayRoute } from './routes.ts';
import type { Sessions } from './session/registry.ts';

export interface HandshakeDeps {
  readonly router: Router<GatewayRoute>;
  readonly sessions: Sessions;
  readonly observer: Observer;
  readonly isDraining: () => boolean;
}

/** What is known of an upgrade so far; a refusal tells of it. */
interface Progress {
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
  return async function handshake(message: IncomingMessage, socket: Duplex, head: Buffer, arrival: Arrival) {
    const startedAt = performance.now();
    const client = watchClient(socket, head);
    const progress: Progress = {};
    try {
      await open(deps, progress, message, client, arrival);
    } catch (thrown) {
      const error = client.gone ? new GatewayError('CLIENT_LOST', { cause: thrown }) : asGatewayError(thrown);
      client.release();
      progress.bridge?.abandon();
      deps.observer.refused(refusedRequest(progress, arrival), error, performance.now() - startedAt);
      refuseUpgrade(socket, error, progress.request, progress.route?.config.refuse === 'close');
    } finally {
      if (progress.grant) release(progress.grant);
    }
  };
}

/** Everything up to the end of the connection; throws only before the 101. */
async function open(
  deps: HandshakeDeps,
  progress: Progress,
  message: IncomingMessage,
  client: Arriving,
  arrival: Arrival,
) {
  const request = parseUpgrade(message, arrival);
  progress.request = request;
  const { route, captures } = deps.router(request.host, request.path) ?? {};
  if (route === undefined || captures === undefined) throw new GatewayError('NO_ROUTE');
  progress.route = route;
  const { leads } = route;
  if (leads.bridge === undefined)
    throw new GatewayError('NO_ROUTE', { detail: 'an http route takes no upgrades' });
  if (deps.isDraining()) throw new GatewayError('DRAINING');

  const signal = AbortSignal.any([client.signal, AbortSignal.timeout(route.config.timeouts.handshake)]);
  const grant = await admit(route.checks, request);
  progress.grant = grant;
  const bridge = await leads.dial(admitted(request, grant, captures, route.config), signal);
  progress.bridge = bridge;
  if (client.gone) throw new GatewayError('CLIENT_LOST');
  // A drain that began meanwhile has asked the open connections to close, and would miss this one.
  if (deps.isDraining()) throw new GatewayError('DRAINING');

  // From here to `run` nothing is awaited: no event can fall between two listeners.
  const socket = client.socket;
  const head = client.release();
  const protocol = writeAccept(socket, request, grant, bridge.accept);
  const session = deps.sessions.open({
    route: route.config,
    bridge: leads.bridge,
    request,
    grant,
    meter: route.meter(request, grant),
    protocol,
  });
  deps.sessions.end(session, await bridge.run(socket, head, session));
}

function refusedRequest({ request, route }: Progress, arrival: Arrival): RefusedRequest {
  const { id, peerAddress = '' } = arrival;
  if (request === undefined) return { id, kind: 'upgrade', peerAddress };
  const { clientAddress, host, path, origin } = request;
  return { id, kind: 'upgrade', peerAddress, clientAddress, host, path, origin, route: route?.config.name };
}
